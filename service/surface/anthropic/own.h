// Messages requests that go up as they are: surface/own.h.
#pragma once

#include "service/surface/own.h"

namespace tokenrelay::surface {

OwnCheck check_own_messages(const json::Value& body);

}  // namespace tokenrelay::surface
