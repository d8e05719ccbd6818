// generateContent requests that go up as they are: surface/own.h.
#pragma once

#include "service/surface/own.h"

namespace tokenrelay::surface {

// `body` has its members' names in camelCase (members.h).
// Whether its history holds what the relay made of another provider's answer. Then it must be translated.
bool has_foreign_contents(const json::Value& body);

}  // namespace tokenrelay::surface
