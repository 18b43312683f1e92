"""Events to a broker, and from it into a store.

A gym publishes what its outbox holds (store/outbox.py) with `publisher.Publisher`; an operator
with many gyms runs `collector.Collector` next to the central store. Both speak MQTT 5 through
`connection.Connection`. What they say is in docs/mqtt.md, and as a JSON Schema in schema.json.
"""
