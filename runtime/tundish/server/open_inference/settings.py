"""Trace and log settings: what there is to set, and what it is set to."""

from __future__ import annotations

import logging

from tundish.errors import InvalidInputError, UnsupportedError
from tundish.server.open_inference.targets import Methods
from tundish_proto import open_inference_pb2 as oip

_TRACE_SETTINGS = {
    "trace_level": ["OFF"],
    "trace_rate": ["0"],
    "trace_count": ["0"],
    "log_frequency": ["0"],
    "trace_file": [""],
    "trace_mode": ["triton"],
}
"""Requests are not traced, so that every setting stands as it is."""

_LEVELS = {"log_info": logging.INFO, "log_warning": logging.WARNING, "log_error": logging.ERROR}
"""The protocol's switches of the log. The lowest that is on is the log's level; those above it are on, too."""

_FIXED = {"log_file": "", "log_format": "default"}
"""Settings of the log that stand as they are: it goes to standard error."""


class SettingMethods(Methods):
    """Trace and log settings."""

    async def TraceSetting(self, request: oip.TraceSettingRequest, until: float | None) -> oip.TraceSettingResponse:
        if request.model_name:
            self._target(request.model_name, "")
        for name, setting in request.settings.items():
            if name not in _TRACE_SETTINGS:
                raise InvalidInputError(f"There is no trace setting '{name}'; there are {sorted(_TRACE_SETTINGS)}.")
            # An empty value clears a setting, which is what it is already.
            if setting.value and list(setting.value) != _TRACE_SETTINGS[name]:
                raise UnsupportedError(f"This server does not trace requests; '{name}' cannot be changed.")
        return oip.TraceSettingResponse(
            settings={
                name: oip.TraceSettingResponse.SettingValue(value=value) for name, value in _TRACE_SETTINGS.items()
            }
        )

    async def LogSettings(self, request: oip.LogSettingsRequest, until: float | None) -> oip.LogSettingsResponse:
        logger = logging.getLogger("tundish")
        level = logger.getEffectiveLevel()
        switches = {name: level <= threshold for name, threshold in _LEVELS.items()}
        verbose = int(level <= logging.DEBUG)
        for name, setting in request.settings.items():
            kind = setting.WhichOneof("parameter_choice")
            if name in _LEVELS and kind == "bool_param":
                switches[name] = setting.bool_param
            elif name == "log_verbose_level" and kind == "uint32_param":
                verbose = setting.uint32_param
            elif kind == "string_param" and setting.string_param == _FIXED.get(name):
                continue
            else:
                raise InvalidInputError(
                    f"There is no log setting '{name}' of this kind; there are the switches {sorted(_LEVELS)} and the "
                    "number log_verbose_level."
                )
        if request.settings:
            on = [threshold for name, threshold in _LEVELS.items() if switches[name]]
            logger.setLevel(logging.DEBUG if verbose else min(on, default=logging.CRITICAL))
        return _log_settings(logger.getEffectiveLevel())


def _log_settings(level: int) -> oip.LogSettingsResponse:
    value = oip.LogSettingsResponse.SettingValue
    return oip.LogSettingsResponse(
        settings={
            **{name: value(bool_param=level <= threshold) for name, threshold in _LEVELS.items()},
            **{name: value(string_param=text) for name, text in _FIXED.items()},
            "log_verbose_level": value(uint32_param=int(level <= logging.DEBUG)),
        }
    )
