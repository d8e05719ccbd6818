// Conversation: the request for a generation that continues a stream: the original messages and everything since.
//
// Each generation's text is an assistant turn (none if it is empty), each steer a user turn; reasoning and
// unfinished tool calls are left out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/models.h"
#include "service/upstream/own_request.h"
#include "service/upstream/upstream.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Stream;

class Conversation {
 public:
  void add(storage::EventKind kind, std::string_view payload);
  // The stored request with the new turns after its messages; nullopt: the stored request cannot be parsed.
  std::optional<upstream::ModelRequest> request(std::string_view stored_request) const;
  uint64_t text_bytes() const;  // of the new turns

 private:
  std::vector<upstream::Turn> turns_;
};

struct ContinuedRequest {
  upstream::Prepared prepared;
  uint64_t added_bytes = 0;  // of text, beyond the original messages'
};

// Reads the stored request and the durable events from the log, and prepares the request for the route's upstream: on
// a worker, if it is large. nullopt: they cannot be read.
void read_conversation(const std::shared_ptr<Stream>& stream, const Route& route, const std::string& request_id,
                       std::function<void(std::optional<ContinuedRequest>)> done);

}  // namespace tokenrelay::relay
