"""Where and how to connect: connection strings, services, the environment."""
