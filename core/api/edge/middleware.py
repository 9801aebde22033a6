"""What looks at each request before pages and API, outermost first."""

from __future__ import annotations

from starlette.middleware import Middleware

from core.api.access import OPEN_PATHS, AccessMiddleware
from core.api.edge.browsers import BrowserCookieMiddleware
from core.api.edge.cross_site import CrossSiteMiddleware
from core.api.edge.headers import BrowserHeadersMiddleware
from core.api.edge.rates import RatesMiddleware
from core.base.settings import Settings


def edge_middleware(settings: Settings, base_path: str = "") -> list[Middleware]:
    """For an application that is reached below ``base_path`` (``""``, or with a leading slash)."""
    open_paths = frozenset(base_path + path for path in OPEN_PATHS)
    return [
        Middleware(BrowserHeadersMiddleware, settings=settings),
        Middleware(CrossSiteMiddleware, settings=settings, open_paths=open_paths),
        Middleware(RatesMiddleware, settings=settings, base_path=base_path, open_paths=open_paths),
        Middleware(AccessMiddleware, settings=settings, open_paths=open_paths),
        Middleware(BrowserCookieMiddleware, settings=settings),
    ]
