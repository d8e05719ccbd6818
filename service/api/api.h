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
#include "service/api/whole_reads.h"
#include "service/http/problem.h"
#include "service/http/router.h"
#include "service/relay/shard.h"

namespace tokenrelay::api {

struct Settings {
  int json_depth = 64;
  int64_t heartbeat_ms = 15'000;
  int64_t write_stall_ms = 60'000;
  uint64_t whole_read_bytes = 64 << 20;
  std::vector<std::string> cors_origins;
  bool log_prompts = false;
  relay::OnDisconnect surface_on_disconnect{relay::OnDisconnect::Action::cancel, 0};  // of clients that cannot resume
  bool list_allowed = true;  // false: beyond loopback without authentication
};

struct Api {
  relay::Shard& shard;
  metrics::Metrics& metrics;
  transport::Loop& loop;
  relay::Random random;
  std::function<const Settings&()> settings;  // asked at each request: a reload changes it
  std::function<bool()> overloaded;           // so many connections that only operators and the running are served
  WholeReads whole_reads;
  Readers readers;
};

// Routes for clients: streams, the page.
void add_stream_routes(http::Router& router, Api& api);
void add_page_routes(http::Router& router);
// Routes for operators: on the same port, or on one of their own.
void add_operation_routes(http::Router& router, Api& api);

// How the relay's errors look over HTTP: one table.
http::Reply problem_of(const relay::Error& error, const http::Request& request);

http::Reply refuse(http::Code code, std::string detail, const http::Request& request);

using OpenedStream = relay::Result<std::shared_ptr<relay::Stream>>;

// May this principal see this stream? Nobody learns of a stream that is not theirs: the answer is 404. The one place.
bool may_see(const http::Principal& principal, const relay::Stream& stream);

}  // namespace tokenrelay::api
