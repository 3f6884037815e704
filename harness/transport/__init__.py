"""The async client for OpenAI-compatible endpoints, for judges and for subjects alike."""

from harness.transport.client import Transport
from harness.transport.endpoint import (
    Budget,
    ChatCall,
    ChatResult,
    EndpointError,
    EndpointSettings,
    Prices,
    Usage,
    endpoint_settings,
    one_line,
    summed,
)
from harness.transport.failures import valid_unicode

__all__ = [
    "Budget",
    "ChatCall",
    "ChatResult",
    "EndpointError",
    "EndpointSettings",
    "Prices",
    "Transport",
    "Usage",
    "endpoint_settings",
    "one_line",
    "summed",
    "valid_unicode",
]
