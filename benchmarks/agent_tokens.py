"""How many tokens `conduit skill` and the schemas of `conduit mcp` take of an agent's context.

The tokenizer is not a dependency of the project: `pip install bpe-openai` (it carries its vocabularies) beside Conduit,
then `python benchmarks/agent_tokens.py`. Other vocabularies count a few percent more or less; the ratio is what holds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any


async def schemas() -> list[dict[str, Any]]:
    """Return the tools as a client passes them to a model: names, descriptions, input schemas."""
    import mcp

    server = mcp.StdioServerParameters(command=sys.executable, args=["-m", "conduit", "mcp"])
    async with mcp.stdio_client(server) as (read, write), mcp.ClientSession(read, write) as session:
        await session.initialize()
        found = await session.list_tools()
    return [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
        for tool in found.tools
    ]


def main() -> None:
    """Print tokens and bytes of both."""
    import bpe_openai  # type: ignore[import-not-found]

    skill = subprocess.run(
        [sys.executable, "-m", "conduit", "skill"], capture_output=True, text=True, check=True
    ).stdout
    tools = asyncio.run(schemas())
    texts = {"conduit skill": skill, f"conduit mcp, {len(tools)} tools": json.dumps(tools)}
    for name in ("o200k_base", "cl100k_base"):
        encoding = bpe_openai.get_encoding(name)
        for what, text in texts.items():
            print(
                f"{name:<12} {what:<24} {len(encoding.encode(text)):>6} tokens {len(text.encode()):>6} bytes"
            )


if __name__ == "__main__":
    main()
