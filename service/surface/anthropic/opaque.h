// What a provider wants back unchanged, as blocks of Messages.
#pragma once

#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// An opaque event as a redacted_thinking block, which clients send back with the next turn: Anthropic's own, or one
// that contains what another provider wants back. Null: a signature, which belongs to a thinking block.
json::Value opaque_block(const json::Value& opaque);
// Another provider's opaque event, from the data of such a block; null: the block is Anthropic's own.
json::Value foreign_opaque(const std::string& data);

}  // namespace tokenrelay::surface
