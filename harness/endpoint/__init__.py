"""The async client for OpenAI-compatible endpoints, for judges and for subjects alike."""

from harness.endpoint.client import EndpointClient
from harness.endpoint.settings import (
    Budget,
    ChatCall,
    ChatResult,
    EndpointError,
    EndpointSettings,
    Prices,
    endpoint_settings,
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
    "summed",
]
