"""The async client for OpenAI-compatible endpoints, for judges and for subjects alike."""

from harness.endpoint.client import EndpointClient
from harness.endpoint.responses import valid_unicode
from harness.endpoint.settings import (
    Budget,
    ChatCall,
    ChatResult,
    EndpointError,
    EndpointSettings,
    Prices,
    endpoint_settings,
    one_line,
    summed,
)
from harness.endpoint.state import Usage

__all__ = [
    "Budget",
    "ChatCall",
    "ChatResult",
    "EndpointClient",
    "EndpointError",
    "EndpointSettings",
    "Prices",
    "Usage",
    "endpoint_settings",
    "one_line",
    "summed",
    "valid_unicode",
]
