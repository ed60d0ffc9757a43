"""The asyncio side of calling: many calls in flight on one socket."""
