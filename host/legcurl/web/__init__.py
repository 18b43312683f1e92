"""The coach's page: what every machine of a gym does now, and the sets it has seen.

`app.create_app` builds it from a gym (gym.py), a store and the viewer's rights. The page
itself is in page/: plain ES modules that the browser reads as they are.
"""
