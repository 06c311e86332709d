"""Values of secrets, fetched on the machine by its role and put into the command's environment, nowhere else.

References: `ssm:/name` (Parameter Store) and `secretsmanager:name` or `secretsmanager:name#json-key`.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from typing import Any, Mapping

from runctl.agent.aws import Credentials, NoCredentialsError, connect, sign

_CALLS = {
    "ssm": ("AmazonSSM.GetParameter", "AWS_ENDPOINT_URL_SSM"),
    "secretsmanager": ("secretsmanager.GetSecretValue", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
}


class SecretError(Exception):
    """A secret could not be had; the message names the reference and the service's answer, never a value."""


def resolve(references: Mapping[str, str], credentials: Credentials, region: str) -> dict[str, str]:
    """Values by the variables' names.

    Raises:
        SecretError: a reference is of no known kind, or the service refused.
    """
    return {name: _value(reference, credentials, region) for name, reference in references.items()}


def _value(reference: str, credentials: Credentials, region: str) -> str:
    service, _, name = reference.partition(":")
    if service not in _CALLS or not name:
        raise SecretError(f"{reference}: expected ssm:/name or secretsmanager:name#key")
    if service == "ssm":
        answer = _call(service, {"Name": name, "WithDecryption": True}, credentials, region, reference)
        return str(answer["Parameter"]["Value"])
    name, _, key = name.partition("#")
    text = str(_call(service, {"SecretId": name}, credentials, region, reference).get("SecretString", ""))
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise SecretError(f"{reference}: the secret has no key {key!r}") from error


def _call(
    service: str, question: Mapping[str, Any], credentials: Credentials, region: str, reference: str
) -> dict[str, Any]:
    target, variable = _CALLS[service]
    origin = (
        os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.amazonaws.com"
    )
    body = json.dumps(question).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    problem = ""
    for pause in (0.2, 0.5, 1.0, 2.0, 0.0):
        try:
            out = dict(headers)
            host = origin.rstrip("/").split("://", 1)[1]
            digest = hashlib.sha256(body).hexdigest()
            sign("POST", host, "/", "", out, digest, credentials.get(), region, service, time.time())
            connection = connect(origin, timeout=10)
            try:
                connection.request("POST", "/", body, out)
                reply = connection.getresponse()
                text = reply.read()
            finally:
                connection.close()
            if reply.status == 200:
                return dict(json.loads(text))
            problem = _refusal(reply.status, text)
            if reply.status < 500 and "Throttl" not in problem:
                break
        except NoCredentialsError as error:
            raise SecretError(f"{reference}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
        time.sleep(pause)
    raise SecretError(f"{reference}: {problem}")


def _refusal(status: int, text: bytes) -> str:
    try:
        found = json.loads(text)
        code = str(found.get("__type", status)).rsplit("#", 1)[-1]
        return f"{code} {found.get('message') or found.get('Message') or ''}"
    except ValueError:
        return f"HTTP {status}"
