"""Changes of a network's architecture at a batch: units and layers that go, or come."""
