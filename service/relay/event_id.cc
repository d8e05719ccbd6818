#include "service/relay/event_id.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace tokenrelay::relay {
namespace {

constexpr size_t run_chars = 10;
constexpr size_t max_digits = 20;

// Tokens are drawn from [a-z2-7]; any digit is accepted: a token of another relay is well-formed but unknown.
bool run_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// The run that holds `seq`: the last one that began at or before it. A run still being written has no last_seq yet.
const Run& run_of(const std::vector<Run>& runs, Seq seq) {
  for (size_t i = runs.size(); i-- > 0;) {
    if (runs[i].first_seq <= seq) return runs[i];
  }
  assert(false && "an event without a run");
  return runs.front();
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::start:
      return "start";
    case Verdict::exact:
      return "exact";
    case Verdict::reset:
      return "reset";
  }
  return "reset";
}

std::optional<EventId> parse_event_id(std::string_view text) {
  if (text.size() < run_chars + 2 || text.size() > run_chars + 1 + max_digits) return std::nullopt;
  const auto run = text.substr(0, run_chars);
  const auto digits = text.substr(run_chars + 1);
  if (!std::all_of(run.begin(), run.end(), run_char) || text[run_chars] != '-') return std::nullopt;
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0') return std::nullopt;
  EventId id{std::string(run), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id.seq);
  if (error != std::errc()) id.seq = UINT64_MAX;
  return id;
}

void append_event_id(std::string& out, const std::vector<Run>& runs, Seq seq) {
  char digits[max_digits];
  const auto end = std::to_chars(digits, digits + sizeof digits, seq).ptr;
  out += run_of(runs, seq).token;
  out += '-';
  out.append(digits, static_cast<size_t>(end - digits));
}

std::string event_id(const std::vector<Run>& runs, Seq seq) {
  std::string out;
  if (seq > 0) append_event_id(out, runs, seq);
  return out;
}

Verdict judge(const std::vector<Run>& runs, Seq durable, const EventId& cursor) {
  if (cursor.seq == 0 || cursor.seq > durable) return Verdict::reset;
  const bool ours = std::any_of(runs.begin(), runs.end(), [&](const Run& r) { return r.token == cursor.run; });
  return ours && run_of(runs, cursor.seq).token == cursor.run ? Verdict::exact : Verdict::reset;
}

}  // namespace tokenrelay::relay
