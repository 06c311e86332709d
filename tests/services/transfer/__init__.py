"""Transfers against real servers: SeaweedFS, which checks signatures and checksums, and moto, which keeps odd keys."""
