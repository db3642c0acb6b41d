"""Security schemes: dependencies that read a request's credentials and describe themselves in OpenAPI."""

from fastweb.security.api_key import APIKeyCookie as APIKeyCookie
from fastweb.security.api_key import APIKeyHeader as APIKeyHeader
from fastweb.security.api_key import APIKeyQuery as APIKeyQuery
from fastweb.security.http import HTTPAuthorizationCredentials as HTTPAuthorizationCredentials
from fastweb.security.http import HTTPBasic as HTTPBasic
from fastweb.security.http import HTTPBasicCredentials as HTTPBasicCredentials
from fastweb.security.http import HTTPBearer as HTTPBearer
from fastweb.security.http import HTTPDigest as HTTPDigest
from fastweb.security.oauth2 import OAuth2 as OAuth2
from fastweb.security.oauth2 import OAuth2AuthorizationCodeBearer as OAuth2AuthorizationCodeBearer
from fastweb.security.oauth2 import OAuth2PasswordBearer as OAuth2PasswordBearer
from fastweb.security.oauth2 import OAuth2PasswordRequestForm as OAuth2PasswordRequestForm
from fastweb.security.oauth2 import OAuth2PasswordRequestFormStrict as OAuth2PasswordRequestFormStrict
from fastweb.security.oauth2 import SecurityScopes as SecurityScopes
from fastweb.security.open_id_connect_url import OpenIdConnect as OpenIdConnect
