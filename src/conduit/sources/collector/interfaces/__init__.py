"""Interfaces beside HTTP routes, one file each: GraphQL schemas, gRPC services, MCP servers."""
