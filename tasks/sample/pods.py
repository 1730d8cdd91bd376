"""The pods of the sample shop, and which of them run when.

All times of the sample are in seconds before its end, so they are negative.
"""

import random
from dataclasses import dataclass
from math import inf

LENGTH = 3600.0
"""Seconds that the sample covers."""

INCIDENT = -600.0
"""When the new version of `payment` is deployed."""

BAD_VERSION = "3.2.0"
"""The version of `payment` whose pool of database connections is too small."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A process of a service."""

    service: str
    version: str
    language: str
    name: str
    node: str
    first: float = -inf
    """When it starts."""
    last: float = inf
    """When it ends."""

    @property
    def pool(self) -> int:
        """Database connections that it may have."""
        return 2 if self.version == BAD_VERSION else 20

    def runs(self, at: float) -> bool:
        """Whether it runs then."""
        return self.first <= at < self.last

    def resource(self) -> dict[str, str]:
        """The attributes of its resource."""
        return {
            "service.name": self.service,
            "service.namespace": "shop",
            "service.version": self.version,
            "service.instance.id": self.name,
            "deployment.environment.name": "production",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": self.name,
            "k8s.node.name": self.node,
            "cloud.region": "eu-central-1",
            "telemetry.sdk.language": self.language,
        }


PODS = (
    Pod("frontend", "5.14.1", "nodejs", "frontend-7c6b5d9f8-4xk2m", "node-a"),
    Pod("frontend", "5.14.1", "nodejs", "frontend-7c6b5d9f8-p9w7t", "node-b"),
    Pod("cart", "2.8.3", "go", "cart-5d8f6c7b94-jq5zv", "node-a"),
    Pod("cart", "2.8.3", "go", "cart-5d8f6c7b94-m2c8h", "node-c"),
    Pod("payment", "3.1.4", "java", "payment-6f7d9c5b48-b6tlx", "node-a", last=INCIDENT),
    Pod("payment", "3.1.4", "java", "payment-6f7d9c5b48-hv4nd", "node-b", last=INCIDENT + 14),
    Pod("payment", "3.1.4", "java", "payment-6f7d9c5b48-z8rkg", "node-c"),
    Pod("payment", BAD_VERSION, "java", "payment-84c5b7d6f9-2qjsw", "node-b", first=INCIDENT),
    Pod("payment", BAD_VERSION, "java", "payment-84c5b7d6f9-c7xfp", "node-a", first=INCIDENT + 14),
    Pod("mail", "1.9.0", "python", "mail-59f4d8c6b7-w3hqn", "node-c"),
)


def pod_of(service: str, at: float, source: random.Random) -> Pod:
    """A running pod of a service, as its load balancer would choose one."""
    return source.choice([pod for pod in PODS if pod.service == service and pod.runs(at)])
