"""The plan as Pulumi resources: components that declare them, and the provider that makes them so."""
