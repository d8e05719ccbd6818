// The modes: each runs once and adds its figures to the report.
#pragma once

#include "tests/bench/report.h"
#include "tests/bench/served.h"

namespace tokenrelay::bench {

struct Load {
  int streams = 1000;         // relay, saturate
  double per_second = 30;     // tokens, of a stream
  double seconds = 10;        // measured, after the warm-up
  double warm_up = 3;         // from the first delta of the slowest stream on
  int subscribers = 1000;     // idle, fanout
  int connections = 24;       // post
  int rounds = 300;           // replay: reads of each kind
  double minutes = 2;         // churn
  bool openai_sized = false;  // chunks of 323 B
  bool tls = false;           // relay: to the upstream; idle: to the server
  bool nginx = true;          // beside it
};

// Each through the relay and, beside it, through nginx.
void run_relay(const Setting& setting, const Load& load, Report& report);
void run_saturate(const Setting& setting, const Load& load, Report& report);
void run_idle(const Setting& setting, const Load& load, Report& report);
void run_fanout(const Setting& setting, const Load& load, Report& report);
// The relay alone.
void run_replay(const Setting& setting, const Load& load, Report& report);
void run_post(const Setting& setting, const Load& load, Report& report);
void run_churn(const Setting& setting, const Load& load, Report& report);

}  // namespace tokenrelay::bench
