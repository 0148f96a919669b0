"""Interfaces other than HTTP routes, one module each: GraphQL schemas, gRPC services, MCP servers."""
