// What a provider wants back untouched, as blocks of Messages.
#pragma once

#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// An opaque event as the block that carries it. Anthropic's own redacted thinking is one; what another provider wants
// back travels in one, for it to come back with the next turn. Null: a signature, which belongs to a thinking block.
json::Value opaque_block(const json::Value& opaque);
// What another provider said, out of the data of such a block; null: it is Anthropic's own.
json::Value foreign_opaque(const std::string& data);

}  // namespace tokenrelay::surface
