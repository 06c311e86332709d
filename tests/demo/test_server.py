"""The process: it answers, it serves the seeded fleet, it ends with its parent."""

from __future__ import annotations

import boto3

from runctl.demo.cloud import DemoCloud


def test_the_seeded_fleet_is_served_and_paged_by_instance(cloud: DemoCloud) -> None:
    found = []
    for region in ("us-east-1", "us-west-2", "eu-west-1"):
        pages = boto3.client("ec2", region_name=region).get_paginator("describe_instances")
        for page in pages.paginate(PaginationConfig={"PageSize": 7}):
            here = [i for r in page["Reservations"] for i in r["Instances"]]
            assert len(here) <= 7
            found += here
    assert len({i["InstanceId"] for i in found}) == len(found) == 60
