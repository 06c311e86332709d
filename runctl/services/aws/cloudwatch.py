"""CPU of machines as CloudWatch keeps it: basic metrics, one figure in five minutes. Each metric asked for is billed.

GetMetricData costs $0.01 for 1,000 metrics and has no free tier (Amazon CloudWatch pricing page), so nothing here is
asked unless paid calls are allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runctl.services.aws.parse import parse_time
from runctl.services.aws.session import AwsSession

#: Queries in one request (GetMetricData API reference, "MetricDataQueries").
_MOST = 500
_PERIOD_S = 300


def cpu_history(
    session: AwsSession, region: str, ids: Sequence[str], since: datetime, until: datetime
) -> dict[str, tuple[tuple[datetime, float], ...]]:
    """(time, percent) of each machine, oldest first; a machine that CloudWatch knows nothing of has none.

    Raises:
        InputError: paid calls are not allowed.
        CloudError: what AWS said.
    """
    found: dict[str, list[tuple[datetime, float]]] = {i: [] for i in ids}
    for first in range(0, len(ids), _MOST):
        part = ids[first : first + _MOST]
        token: dict[str, str] = {}
        while True:
            page = session.call(
                "cloudwatch", "GetMetricData", region, StartTime=since, EndTime=until,
                MetricDataQueries=[_query(n, i) for n, i in enumerate(part)], **token,
            )  # fmt: skip
            for result in page.get("MetricDataResults") or ():
                found[part[int(str(result["Id"]).removeprefix("m"))]] += _points(result)
            before, token = token, {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
            if not token or token == before:
                break
    return {i: tuple(sorted(points)) for i, points in found.items()}


def _query(number: int, instance_id: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
    }
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": _PERIOD_S, "Stat": "Average"}}


def _points(result: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    pairs = zip(result.get("Timestamps") or (), result.get("Values") or (), strict=False)
    # A figure stands for the five minutes after its time.
    return [(at, float(value)) for raw, value in pairs if (at := parse_time(raw)) is not None]
