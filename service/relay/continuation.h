// Continuation: how the next relay process continues a generation that this one did not finish.
//
// Some upstreams keep an answer that is no longer being read (Provider::take_up). The token that finds it again is kept
// in the log beside the stream, never in an event: it is a capability, and clients must not see it. After a restart the
// upstream sends the answer again from its beginning, and what is durable already (Progress) is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/disconnect_policy.h"
#include "service/relay/models.h"
#include "service/relay/usage.h"
#include "storage/event.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

class Stream;

struct Continuation {
  std::string upstream;  // its name in the configuration
  std::string token;
  uint32_t attempt = 1;  // the last one that readers have seen
  uint64_t prompt_bytes = 0;
  std::string request_id;
  OnDisconnect on_disconnect;
};

std::string stored_continuation(const Continuation& what);
std::optional<Continuation> read_continuation(std::string_view stored);  // nullopt: empty or malformed

// Where the answer is, if this configuration still sends the model there.
std::optional<Route> route_of(const Continuation& what, const ModelTable& models, std::string_view model);

// The payload of an `upstream` event.
std::string seam_payload(uint32_t attempt, std::string_view reason);

// What happens to a stream that a dead process left unfinished: it continues if its upstream keeps the answer, else it
// ends here, since the rest of the answer is lost.
storage::RecoveryDecision decide(const storage::StreamRow& row, const ModelTable& models, int64_t now_ms);
StreamError restarted_error();  // the error of a stream that ends this way

// What a stream's events tell about its generations: the last one's output in detail, the earlier ones summed.
struct Progress {
  uint64_t text_bytes = 0, reasoning_bytes = 0, opaque = 0, own = 0;
  std::vector<uint64_t> tool_bytes;  // of arguments, by the number of the call in this generation
  uint64_t first_tool = 0;           // how many calls came before this generation
  uint64_t earlier_bytes = 0;        // the output of earlier generations
  uint64_t stored_bytes = 0;         // of all events
  uint32_t steers = 0;

  void add(storage::EventKind kind, std::string_view payload);
  uint64_t output_bytes() const;  // of this generation
};

// Reads what is durable now. Nullopt: the log cannot be read.
void read_progress(const std::shared_ptr<Stream>& stream, std::function<void(std::optional<Progress>)> done);

}  // namespace tokenrelay::relay
