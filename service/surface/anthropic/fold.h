// The message that the events of a Messages stream add up to, as the provider sent them.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

class MessageFold {
 public:
  void take(json::Value event);
  // Arguments that are not yet complete are kept as they are.
  json::Value message() &&;

 private:
  struct Block {
    json::Value index, content;
    std::string input;  // the pieces of its arguments
  };
  Block* block_of(const json::Value& event);
  void add(Block& block, const json::Value& delta);

  json::Value message_ = json::Value::object();
  std::vector<Block> blocks_;
};

// What the protocol's clients cannot do without, where a server has left it out: a message_start and a message with the
// members that every one of the provider's own has.
std::string complete_start(std::string_view event, std::string_view model);
void complete_message(json::Value& message, std::string_view id, std::string_view model);

}  // namespace tokenrelay::surface
