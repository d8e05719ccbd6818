#include "metrics/metrics.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/catch.h"

using namespace tokenrelay::metrics;

namespace {

// The value of one series, as the exposition prints it; fails the test if it is not there.
double value_of(const std::string& text, const std::string& series) {
  const size_t at = text.find("\n" + series + " ");
  INFO(series);
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + series.size() + 2));
}

void use_everything(Metrics& metrics) {
  metrics.stream_created();
  metrics.stream_ended("completed");
  metrics.stream_failed("upstream_truncated");
  metrics.generation_began();
  metrics.of_model("demo", "up").first_token(0.2);
  metrics.of_model("demo", "up").tokens(Tokens::input, 5);
  metrics.generation_outcome("demo", "up", "ok");
  metrics.delta(DeltaKind::text, 3);
  metrics.of_model("demo", "up").inter_delta(0.03);
  metrics.lag(2);
  metrics.commit(0.0004, 0.001, 12, 900);
  metrics.subscriber_joined(Transport::sse);
  metrics.resumed(Verdict::exact);
  metrics.replayed(4);
  metrics.merged(2);
  metrics.heartbeat();
  metrics.cut("slow_reader");
  metrics.upstream_result("openai", "ok");
  metrics.upstream_retry("openai");
  metrics.http_request("/v1/streams", "POST", 201, 0.002);
  metrics.connection_accepted();
  metrics.connection_refused("limit");
  metrics.loop_turn(30'000'000, 20'000'000);
  metrics.set_connections(1);
  metrics.set_streams(1, 0);
  metrics.set_whole_reads(4096, 2);
  metrics.set_ready(true);
  metrics.set_log({.state = LogState::healthy, .journal_bytes = 4096, .checkpoints = 3});
}

}  // namespace

TEST_CASE("what was counted is exposed") {
  Metrics metrics("0.1.0", {"demo"});
  use_everything(metrics);
  metrics.delta(DeltaKind::reasoning, 10);
  metrics.delta(DeltaKind::text, 4);
  const std::string text = metrics.exposition();

  CHECK(value_of(text, "tokenrelay_build_info{version=\"0.1.0\"}") == 1);
  CHECK(value_of(text, "tokenrelay_streams_ended_total{status=\"completed\"}") == 1);
  CHECK(value_of(text, "tokenrelay_streams_ended_total{status=\"interrupted\"}") == 0);
  CHECK(value_of(text, "tokenrelay_deltas_total{kind=\"text\"}") == 2);
  CHECK(value_of(text, "tokenrelay_delta_bytes_total{kind=\"text\"}") == 7);
  CHECK(value_of(text, "tokenrelay_delta_bytes_total{kind=\"reasoning\"}") == 10);
  CHECK(value_of(text, "tokenrelay_generations_active") == 1);
  CHECK(value_of(text, "tokenrelay_subscribers{transport=\"sse\"}") == 1);
  CHECK(value_of(text, "tokenrelay_resumes_total{verdict=\"exact\"}") == 1);
  CHECK(value_of(text, "tokenrelay_log_state{state=\"healthy\"}") == 1);
  CHECK(value_of(text, "tokenrelay_log_state{state=\"failed\"}") == 0);
  CHECK(value_of(text, "tokenrelay_journal_bytes") == 4096);
  CHECK(value_of(text, "tokenrelay_whole_read_bytes") == 4096);
  CHECK(value_of(text, "tokenrelay_whole_reads_refused_total") == 2);
  CHECK(value_of(text, "tokenrelay_commit_events_sum") == 12);
}

TEST_CASE("the longest turn of the loop shows, and turns of less than a millisecond only in the histogram") {
  Metrics metrics("0.1.0");
  metrics.loop_turn(400'000, 400'000);
  CHECK(value_of(metrics.exposition(), "tokenrelay_loop_stall_seconds") == 0);
  metrics.loop_turn(300'000'000, 2'000'000);
  metrics.loop_turn(80'000'000, 70'000'000);
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_loop_stall_seconds") == 0.3);
  CHECK(value_of(text, "tokenrelay_loop_stall_cpu_seconds") == 0.07);
  CHECK(value_of(text, "tokenrelay_loop_turn_seconds_count") == 3);
  CHECK(value_of(text, "tokenrelay_loop_turn_seconds_bucket{le=\"0.0005\"}") == 1);
}

TEST_CASE("the longest of a minute is forgotten after a minute, also when a second's place is used again") {
  Longest longest;
  CHECK(longest.of_last_minute(0) == 0);
  longest.observe(1000, 3);
  longest.observe(1000, 2);
  longest.observe(1030, 1);
  CHECK(longest.of_last_minute(1059) == 3);
  CHECK(longest.of_last_minute(1060) == 1);
  longest.observe(1060, 0.5);
  CHECK(longest.of_last_minute(1060) == 1);
  CHECK(longest.of_last_minute(1090) == 0.5);
  CHECK(longest.of_last_minute(5000) == 0);
}

TEST_CASE("a second scrape adds to the first") {
  Metrics metrics("0.1.0");
  metrics.delta(DeltaKind::tool_call, 5);
  metrics.of_model("demo", "up").inter_delta(0.004);
  metrics.exposition();
  metrics.delta(DeltaKind::tool_call, 6);
  metrics.of_model("demo", "up").inter_delta(0.005);
  metrics.set_log({.corrupt_rows = 2});
  metrics.set_log({.corrupt_rows = 2});
  metrics.set_log_lines_dropped(3);
  metrics.set_log_lines_dropped(7);
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_deltas_total{kind=\"tool_call\"}") == 2);
  CHECK(value_of(text, "tokenrelay_delta_bytes_total{kind=\"tool_call\"}") == 11);
  CHECK(value_of(text, "tokenrelay_inter_delta_seconds_bucket{model=\"other\",upstream=\"up\",le=\"0.005\"}") == 2);
  CHECK(value_of(text, "tokenrelay_inter_delta_seconds_bucket{model=\"other\",upstream=\"up\",le=\"0.0025\"}") == 0);
  CHECK(value_of(text, "tokenrelay_inter_delta_seconds_sum{model=\"other\",upstream=\"up\"}") == Approx(0.009));
  CHECK(value_of(text, "tokenrelay_log_corrupt_rows_total") == 2);
  CHECK(value_of(text, "tokenrelay_log_lines_dropped_total") == 7);
}

TEST_CASE("latency buckets reach sixty seconds") {
  Metrics metrics("0.1.0", {"demo"});
  metrics.of_model("demo", "up").inter_delta(59);
  metrics.of_model("demo", "up").first_token(59);
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_inter_delta_seconds_bucket{model=\"demo\",upstream=\"up\",le=\"30\"}") == 0);
  CHECK(value_of(text, "tokenrelay_inter_delta_seconds_bucket{model=\"demo\",upstream=\"up\",le=\"60\"}") == 1);
  CHECK(value_of(text, "tokenrelay_first_token_seconds_bucket{model=\"demo\",upstream=\"up\",le=\"60\"}") == 1);
}

TEST_CASE("labels are bounded") {
  Metrics metrics("0.1.0", {"demo"});
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "x" + std::to_string(i);
    metrics.of_model(name, "up").first_token(1);
    metrics.stream_ended(name);
    metrics.stream_failed(name);
    metrics.cut(name);
    metrics.connection_refused(name);
    metrics.upstream_result(name, name);
    metrics.upstream_retry(name);
    metrics.of_model("demo", name).tokens(Tokens::output, 1);
    metrics.generation_outcome("demo", name, "ok");
    metrics.http_request(name, name, 100 + i % 500, 0.1);
  }
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_first_token_seconds_count{model=\"other\",upstream=\"up\"}") == 5000);
  CHECK(value_of(text, "tokenrelay_streams_ended_total{status=\"other\"}") == 5000);
  CHECK(value_of(text, "tokenrelay_upstream_retries_total{provider=\"other\"}") == 5000 - 16);
  CHECK(std::count(text.begin(), text.end(), '\n') < 6000);
}

TEST_CASE("times and tokens are counted by model and upstream, the first pairs, then as other") {
  Metrics metrics("0.1.0", {"m"});
  metrics.of_model("m", "a").tokens(Tokens::cached, 7);
  metrics.of_model("m", "a").tokens(Tokens::cached, 2);
  metrics.of_model("m", "b").tokens(Tokens::reasoning, 3);
  for (size_t i = 2; i < ModelTallies::most; ++i) metrics.of_model("m", "u" + std::to_string(i)).first_token(1);
  metrics.of_model("m", "late").inter_delta(0.1);
  metrics.of_model("m", "later").inter_delta(0.1);
  metrics.of_model("m", "a").first_token(0.3);
  metrics.generation_outcome("m", "a", "upstream_timeout");
  for (int scrape = 0; scrape < 2; ++scrape) {
    const std::string text = metrics.exposition();
    CHECK(value_of(text, "tokenrelay_tokens_total{kind=\"cached\",model=\"m\",upstream=\"a\"}") == 9);
    CHECK(value_of(text, "tokenrelay_tokens_total{kind=\"reasoning\",model=\"m\",upstream=\"b\"}") == 3);
    CHECK(value_of(text, "tokenrelay_inter_delta_seconds_count{model=\"other\",upstream=\"other\"}") == 2);
    CHECK(value_of(text, "tokenrelay_first_token_seconds_count{model=\"m\",upstream=\"a\"}") == 1);
    CHECK(value_of(text,
                   "tokenrelay_generations_ended_total{model=\"m\",outcome=\"upstream_timeout\",upstream=\"a\"}") == 1);
    CHECK(text.find("late") == std::string::npos);
  }
}

TEST_CASE("a reload brings new models") {
  Metrics metrics("0.1.0", {"a"});
  metrics.set_known_models({"b"});
  metrics.of_model("a", "up").first_token(1);
  metrics.of_model("b", "up").first_token(1);
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_first_token_seconds_count{model=\"other\",upstream=\"up\"}") == 1);
  CHECK(value_of(text, "tokenrelay_first_token_seconds_count{model=\"b\",upstream=\"up\"}") == 1);
}

TEST_CASE("every metric that an alert or a panel names exists") {
  Metrics metrics("0.1.0", {"demo"});
  use_everything(metrics);
  const std::string text = metrics.exposition();
  for (const char* file : {"deploy/prometheus/tokenrelay.rules.yml", "deploy/grafana/tokenrelay.json"}) {
    std::ifstream in(std::string(TOKENRELAY_SOURCE_DIR) + "/" + file);
    const std::string content((std::istreambuf_iterator<char>(in)), {});
    REQUIRE(content.size() > 1000);
    size_t names = 0;
    static const std::regex name("\\b(tokenrelay|process)_[a-z_]+");
    for (std::sregex_iterator at(content.begin(), content.end(), name), end; at != end; ++at, ++names) {
      INFO(file << " names " << at->str());
      const bool exists = text.find("\n" + at->str() + "{") != std::string::npos ||
                          text.find("\n" + at->str() + " ") != std::string::npos;
      CHECK(exists);
    }
    CHECK(names > 10);
  }
}

TEST_CASE("samplers run at every scrape") {
  Metrics metrics("0.1.0");
  double open = 6;
  metrics.on_scrape([&](Metrics& m) { m.set_connections(++open); });
  CHECK(value_of(metrics.exposition(), "tokenrelay_connections") == 7);
  CHECK(value_of(metrics.exposition(), "tokenrelay_connections") == 8);
}

TEST_CASE("the process describes itself") {
  Metrics metrics("0.1.0");
  const std::string before = metrics.exposition();
  CHECK(value_of(before, "process_resident_memory_bytes") > 1e6);
  CHECK(value_of(before, "process_start_time_seconds") > 1.7e9);
  CHECK(value_of(before, "process_threads") >= 1);
  CHECK(value_of(before, "process_max_fds") > 0);
  const std::ifstream one_more("/dev/null");
  const std::string after = metrics.exposition();
  CHECK(value_of(after, "process_open_fds") == value_of(before, "process_open_fds") + 1);
  CHECK(value_of(after, "process_cpu_seconds_total") >= value_of(before, "process_cpu_seconds_total"));
}

TEST_CASE("counting from several threads loses nothing") {
  Metrics metrics("0.1.0");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        metrics.delta(DeltaKind::text, 2);
        metrics.commit(0.001, 0.001, 1, 1);
        metrics.resumed(Verdict::start);
        if (i % 1000 == 0) metrics.exposition();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const std::string text = metrics.exposition();
  CHECK(value_of(text, "tokenrelay_deltas_total{kind=\"text\"}") == 40'000);
  CHECK(value_of(text, "tokenrelay_delta_bytes_total{kind=\"text\"}") == 80'000);
  CHECK(value_of(text, "tokenrelay_commit_events_count") == 40'000);
  CHECK(value_of(text, "tokenrelay_resumes_total{verdict=\"start\"}") == 40'000);
}

TEST_CASE("promtool has nothing to say about it") {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    WARN("promtool is not installed: apt-get install prometheus");
    return;
  }
  Metrics metrics("0.1.0", {"demo"});
  use_everything(metrics);
  FILE* promtool = popen("promtool check metrics 2>&1", "w");
  REQUIRE(promtool != nullptr);
  const std::string text = metrics.exposition();
  REQUIRE(fwrite(text.data(), 1, text.size(), promtool) == text.size());
  CHECK(pclose(promtool) == 0);
}

TEST_CASE("alerts and dashboard speak of metrics that exist") {
  Metrics metrics("0.1.0", {"demo"});
  use_everything(metrics);
  const std::string text = metrics.exposition();
  for (const std::string file : {"/deploy/prometheus/tokenrelay.rules.yml", "/deploy/grafana/tokenrelay.json"}) {
    std::ostringstream content;
    content << std::ifstream(TOKENRELAY_SOURCE_DIR + file).rdbuf();
    const std::string words = content.str();
    REQUIRE(words.size() > 1000);
    const std::regex metric("\\b(tokenrelay|process)_[a-z_]+");
    for (std::sregex_iterator found(words.begin(), words.end(), metric), end; found != end; ++found) {
      INFO(file << ": " << found->str());
      CHECK((text.find("\n" + found->str() + " ") != std::string::npos ||
             text.find("\n" + found->str() + "{") != std::string::npos));
    }
  }
}

// Run by hand: unit_metrics "[.cost]"
TEST_CASE("what the token path costs", "[.cost]") {
  Metrics metrics("0.1.0");
  constexpr int times = 10'000'000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) {
    metrics.delta(DeltaKind::text, 4);
    metrics.of_model("demo", "up").inter_delta(static_cast<double>(i & 1023) * 1e-4);
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  std::cout << "delta + inter_delta: " << spent.count() / times << " ns\n";
  const auto scrape = std::chrono::steady_clock::now();
  const size_t size = metrics.exposition().size();
  const std::chrono::duration<double, std::micro> scraped = std::chrono::steady_clock::now() - scrape;
  std::cout << "exposition: " << scraped.count() << " us, " << size << " bytes\n";
}
