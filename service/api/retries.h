// Retries: the streams that SDKs began and may ask for again. An SDK repeats a POST after a time-out, without an
// idempotency key, while the first generation still runs (CLIENTS.md, Every client: refusals and retries).
//
// Threads: the shard's loop. Bounds: max_entries, the oldest are forgotten; no stream is kept alive.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "service/http/request.h"
#include "service/relay/stream.h"

namespace tokenrelay::api {

class Retries {
 public:
  static constexpr size_t max_entries = 4096;

  // Whether an SDK says that it sends this request again, and there is a stream that it could mean.
  bool may_repeat(const http::Request& request) const;
  // The stream that the same owner began on the same path with the body of this hash, if it still runs; else null.
  std::shared_ptr<relay::Stream> find(const http::Request& request, const std::string& body_hash) const;

  // For a request of an SDK that counts its retries; others are ignored.
  void remember(const http::Request& request, const std::shared_ptr<relay::Stream>& stream);

 private:
  std::unordered_map<std::string, std::weak_ptr<relay::Stream>> streams_;
  std::deque<std::string> order_;  // of the keys, oldest first
};

}  // namespace tokenrelay::api
