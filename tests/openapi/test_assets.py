from __future__ import annotations

from fastweb.openapi.assets import redoc_assets, swagger_ui_assets


def test_the_extra_has_the_assets() -> None:
    found = (*(swagger_ui_assets() or ()), *(redoc_assets() or ()))
    kinds = {asset.name: asset.media_type for asset in found}
    assert kinds == {
        "swagger-ui-bundle.js": "text/javascript",
        "swagger-ui.css": "text/css",
        "redoc.standalone.mjs": "text/javascript",
    }
    assert all(asset.path.stat().st_size > 10_000 for asset in found)
