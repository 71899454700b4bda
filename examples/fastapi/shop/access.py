"""Who may change things: a stand-in for real authentication."""

import secrets
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

bearer = HTTPBearer(auto_error=False)


def staff(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
    """Lets requests with the shop's token through."""
    wanted: str = request.app.state.settings.token
    if given is None or not secrets.compare_digest(given.credentials, wanted):
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})


Staff = Depends(staff)
