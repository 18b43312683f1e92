"""Events to a broker, and from it into a store.

A gym publishes its outbox (store/replication/outbox.py) with `publisher.Publisher`; an operator of
many gyms runs `collector.Collector` next to the central store. Both speak MQTT 5 through
`connection.Connection`. docs/mqtt.md describes the messages, schema.json is their JSON Schema.
"""
