"""Bulk S3: listing, comparing, planning and moving, without a client library in the hot loop. See docs/s3.md."""
