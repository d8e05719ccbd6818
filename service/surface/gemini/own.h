// generateContent requests that go up as they are: surface/own.h.
#pragma once

#include "service/surface/own.h"

namespace tokenrelay::surface {

// `body` has its members' names in camelCase (members.h).
OwnCheck check_own_contents(const json::Value& body);

}  // namespace tokenrelay::surface
