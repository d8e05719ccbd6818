// The native API: what every handler shares, and the registration of all routes.
//
// Threads: the shard's loop. One Api per shard; it outlives the router's handlers and every reader.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/api/readers.h"
#include "service/api/retries.h"
#include "service/api/whole_reads.h"
#include "service/http/problem.h"
#include "service/http/router.h"
#include "service/json/parse.h"
#include "service/relay/shard.h"

namespace tokenrelay::api {

struct Settings {
  json::Limits json{64, 100'000};  // of a request
  int64_t heartbeat_ms = 15'000;
  int64_t write_stall_ms = 60'000;
  uint64_t whole_read_bytes = 64 << 20;
  bool log_prompts = false;
  // What happens to a surface's answer when its client leaves, unless the request says it.
  relay::OnDisconnect chat_on_disconnect, messages_on_disconnect, gemini_on_disconnect, responses_on_disconnect,
      ui_on_disconnect;
  bool list_allowed = true;  // false: beyond loopback without authentication
};

struct Api {
  relay::Shard& shard;
  metrics::Metrics& metrics;
  transport::Loop& loop;
  relay::Random random;
  std::function<const Settings&()> settings;  // called for each request: a reload changes it
  std::function<bool()> overloaded;           // too many connections: only operators and running streams are served
  WholeReads whole_reads;
  Readers readers;
  Retries retries = {};
};

// Routes for clients: streams, the page.
void add_stream_routes(http::Router& router, Api& api);
void add_page_routes(http::Router& router);
// Routes for operators: on the same port, or on a separate one.
void add_operation_routes(http::Router& router, Api& api);

// The relay's errors as HTTP answers, from one table.
http::Reply problem_of(const relay::Error& error, const http::Request& request);

http::Reply refuse(http::Code code, std::string detail, const http::Request& request);

using OpenedStream = relay::Result<std::shared_ptr<relay::Stream>>;

// Whether this principal may see this stream; if not, the answer must be 404, as for an unknown stream. The only check.
bool may_see(const http::Principal& principal, const relay::Stream& stream);

}  // namespace tokenrelay::api
