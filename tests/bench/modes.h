// The modes: each runs once and adds its figures to the report.
#pragma once

#include "tests/bench/report.h"
#include "tests/bench/served.h"

namespace tokenrelay::bench {

struct Load {
  int streams = 1000;         // relay
  double per_second = 30;     // tokens, of a stream
  double seconds = 10;        // measured, after the warm-up
  double warm_up = 3;         // from the first delta of the slowest stream on
  int subscribers = 0;        // idle, fanout; 0: the mode's own
  int connections = 32;       // post
  int rounds = 300;           // replay: reads of each kind
  bool openai_sized = false;  // chunks of 323 B
};

void run_relay(const Setting& setting, const Load& load, Report& report);
void run_nginx(const Setting& setting, const Load& load, Report& report);  // the relay's mode, through nginx
void run_idle(const Setting& setting, const Load& load, Report& report);
void run_fanout(const Setting& setting, const Load& load, Report& report);
void run_replay(const Setting& setting, const Load& load, Report& report);
void run_post(const Setting& setting, const Load& load, Report& report);

// What the modes send.
std::string create_stream(bool as_events);  // POST /v1/streams
std::string read_stream(const std::string& stream_id, const std::string& last_id = "", bool coalesce = true);
std::string chat_request();  // POST /v1/chat/completions, as an upstream or a proxy of one takes it

// Creates a stream over a connection of its own and returns its id; throws if it is refused.
std::string new_stream(uint16_t port);

}  // namespace tokenrelay::bench
