"""Prices, quotas, types, regions, images, agents, identity: what a client looks up before it acts."""

from __future__ import annotations

import ipaddress
import json

from runctl.demo.cloud import DemoCloud
from runctl.services.prices import PriceBook
from tests.demo.conftest import Aws, instances, launch, refused


def _term(field: str, value: str) -> dict[str, str]:
    return {"Type": "TERM_MATCH", "Field": field, "Value": value}


def test_the_price_list_says_what_the_book_says(aws: Aws) -> None:
    filters = [_term("instanceType", "g5.xlarge"), _term("regionCode", "eu-west-1"), _term("operatingSystem", "Linux")]
    (text,) = aws("pricing").get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
    product = json.loads(text)
    (term,) = product["terms"]["OnDemand"].values()
    (rate,) = term["priceDimensions"].values()
    book = PriceBook().instance_rate("eu-west-1", "g5.xlarge", "on-demand")
    assert book is not None
    assert float(rate["pricePerUnit"]["USD"]) == book.usd
    assert rate["unit"] == "Hrs"
    assert product["product"]["attributes"]["vcpu"] == "4"


def test_a_type_without_a_price_has_no_product(aws: Aws) -> None:
    filters = [_term("instanceType", "p5e.48xlarge"), _term("regionCode", "us-west-2")]
    assert aws("pricing").get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"] == []


def test_the_price_list_pages(aws: Aws) -> None:
    client = aws("pricing")
    parameters = {"ServiceCode": "AmazonEC2", "Filters": [_term("regionCode", "us-east-1")]}
    pages = list(client.get_paginator("get_products").paginate(**parameters))
    names = [json.loads(p)["product"]["sku"] for page in pages for p in page["PriceList"]]
    assert len(pages) > 2
    assert len(set(names)) == len(names)
    with refused("InvalidParameterException"):
        client.get_products(ServiceCode="AmazonS3")


def test_quotas_can_be_read(aws: Aws, cloud: DemoCloud) -> None:
    client = aws("service-quotas")
    listed = {q["QuotaCode"]: q["Value"] for q in client.list_service_quotas(ServiceCode="ec2")["Quotas"]}
    cloud.set_quota("L-417A185B", 96)
    quota = client.get_service_quota(ServiceCode="ec2", QuotaCode="L-417A185B")["Quota"]
    assert (quota["Value"], quota["QuotaName"]) == (96.0, "Running On-Demand P instances")
    assert listed["L-417A185B"] == 384
    with refused("NoSuchResourceException"):
        client.get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")


def test_types_are_described_with_their_gpus(aws: Aws) -> None:
    ec2 = aws("ec2")
    found = {t["InstanceType"]: t for t in ec2.describe_instance_types(
        InstanceTypes=["p5e.48xlarge", "p3.2xlarge", "t3.medium"])["InstanceTypes"]}  # fmt: skip
    assert found["p5e.48xlarge"]["GpuInfo"]["Gpus"][0]["Count"] == 8
    assert found["p3.2xlarge"]["VCpuInfo"]["DefaultVCpus"] == 8, "not in moto's data, but in the book"
    assert "GpuInfo" not in found["t3.medium"]
    with refused("InvalidInstanceType"):
        ec2.describe_instance_types(InstanceTypes=["g99.huge"])
    pages = ec2.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": "instance-type", "Values": ["g*"]}], PaginationConfig={"PageSize": 50}
    )
    sizes = [len(p["InstanceTypes"]) for p in pages]
    assert len(sizes) > 1
    assert max(sizes) <= 50


def test_offerings_by_zone(aws: Aws) -> None:
    found = aws("ec2").describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g5.xlarge"]}]
    )["InstanceTypeOfferings"]
    assert {o["Location"] for o in found} >= {"us-east-1a", "us-east-1b"}


def test_only_regions_that_need_no_opting_in_are_enabled(aws: Aws) -> None:
    ec2 = aws("ec2")
    usual = {r["RegionName"] for r in ec2.describe_regions()["Regions"]}
    assert len(usual) == 17
    assert usual > {"us-east-1", "us-west-2", "eu-west-1"}
    assert len(ec2.describe_regions(AllRegions=True)["Regions"]) > 30
    with refused("InvalidParameterValue"):
        ec2.describe_regions(RegionNames=["mars-north-1"])


def test_public_parameters_name_images_that_exist(aws: Aws) -> None:
    ssm, ec2 = aws("ssm"), aws("ec2")
    names = [
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.7-ubuntu-22.04/latest/ami-id",
    ]
    reply = ssm.get_parameters(Names=[*names, "/no/such"])
    assert reply["InvalidParameters"] == ["/no/such"]
    for found in reply["Parameters"]:
        (image,) = ec2.describe_images(ImageIds=[found["Value"]])["Images"]
        assert image["OwnerId"] == "898082745236"
        assert image["Architecture"] == ("arm64" if "arm64" in found["Name"] else "x86_64")
    assert ssm.get_parameter(Name=names[1])["Parameter"]["Value"] == reply["Parameters"][1]["Value"]
    with refused("ParameterNotFound"):
        ssm.get_parameter(Name="/no/such")
    ssm.put_parameter(Name="/mine", Value="x", Type="String")
    assert ssm.get_parameter(Name="/mine")["Parameter"]["Value"] == "x"


def test_an_untouched_region_has_images_too(aws: Aws) -> None:
    assert len(aws("ec2", "ap-south-1").describe_images(Owners=["amazon"])["Images"]) == 5


def test_public_addresses_lead_nowhere(aws: Aws) -> None:
    ec2 = aws("ec2")
    shown = [i["PublicIpAddress"] for i in instances(ec2) if "PublicIpAddress" in i]
    shown += [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]]
    assert shown
    assert all(ipaddress.ip_address(a) in ipaddress.ip_network("198.18.0.0/15") for a in shown)


def test_agents_come_online_after_a_while_and_only_with_a_role(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2, ssm = empty("ec2"), empty("ssm")
    role = {"Name": "runctl-instance"}
    one = launch(ec2, IamInstanceProfile=role)["Instances"][0]["InstanceId"]
    launch(ec2)
    cloud_process.advance(10)
    assert ssm.describe_instance_information()["InstanceInformationList"] == []
    cloud_process.advance(20)
    (agent,) = ssm.describe_instance_information()["InstanceInformationList"]
    assert (agent["InstanceId"], agent["PingStatus"]) == (one, "Online")
    wanted = [{"Key": "InstanceIds", "Values": ["i-0123456789abcdef0"]}]
    assert ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"] == []


def test_the_caller_is_ada(aws: Aws) -> None:
    who = aws("sts").get_caller_identity()
    assert (who["Account"], who["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/ada")
    assert aws("iam").list_account_aliases()["AccountAliases"] == ["runctl-demo"]


def test_other_services_answer_or_refuse_as_aws_does(aws: Aws) -> None:
    assert aws("logs").describe_log_groups()["logGroups"] == []
    assert {m["Namespace"] for m in aws("cloudwatch").list_metrics()["Metrics"]} <= {"AWS/S3"}
    period = {"Start": "2026-01-01", "End": "2026-01-02"}
    assert aws("ce").get_cost_and_usage(TimePeriod=period, Granularity="DAILY", Metrics=["UnblendedCost"])
    with refused("InvalidAction"):
        aws("ec2").describe_volume_status()
