#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/bench/figures.h"

namespace tokenrelay::bench {
namespace {

std::string shown(double value) {
  char text[32];
  const bool whole = value == static_cast<double>(static_cast<int64_t>(value));
  std::snprintf(text, sizeof text, whole ? "%.0f" : value < 100 ? "%.2f" : "%.0f", value);
  return text;
}

std::string padded(const std::string& text, size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

}  // namespace

void Report::add(const std::string& mode, const std::string& name, const Values& values) {
  auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.mode == mode && r.name == name; });
  if (row == rows_.end()) row = rows_.insert(rows_.end(), Row{mode, name, {}, {}});
  for (const auto& [column, value] : values) {
    if (!row->runs.contains(column)) row->columns.push_back(column);
    row->runs[column].push_back(value);
  }
}

void Report::fault(std::string what) {
  if (++faults_ <= 10) notes_.push_back("NOT WHOLE: " + std::move(what));
}

void Report::peer_fault(std::string what) {
  if (++peer_faults_ <= 10) notes_.push_back("NOT WHOLE: " + std::move(what));
}

void Report::draw(const std::string& plot, const std::string& line, Curve points) {
  Plot& lines = plots_[plot];
  const auto known = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == line; });
  if (known != lines.end()) {
    known->second = std::move(points);
  } else {
    lines.emplace_back(line, std::move(points));
  }
}

std::vector<std::pair<std::string, double>> Report::column(const std::string& mode, const std::string& column) const {
  std::vector<std::pair<std::string, double>> found;
  for (const Row& row : rows_) {
    if (row.mode == mode && row.runs.contains(column)) found.emplace_back(row.name, median(row.runs.at(column)));
  }
  return found;
}

std::optional<double> Report::figure(const std::string& mode, const std::string& row, const std::string& column) const {
  for (const auto& [name, value] : this->column(mode, column)) {
    if (name == row) return value;
  }
  return std::nullopt;
}

std::string Report::table(const std::string& mode) const {
  std::string out;
  const std::vector<std::string>* columns = nullptr;
  for (const Row& row : rows_) {
    if (row.mode != mode) continue;
    if (columns == nullptr || *columns != row.columns) {
      out += "\n" + mode + std::string(28 - std::min<size_t>(28, mode.size()), ' ');
      for (const auto& column : row.columns) out += padded(column, std::max<size_t>(column.size(), 7) + 2);
      out += "\n";
    }
    columns = &row.columns;
    out += "  " + row.name + std::string(26 - std::min<size_t>(26, row.name.size()), ' ');
    for (const auto& column : row.columns) {
      out += padded(shown(median(row.runs.at(column))), std::max<size_t>(column.size(), 7) + 2);
    }
    out += "\n";
  }
  return out;
}

std::string Report::text() const {
  std::string out = machine_ + "\n";
  std::vector<std::string> modes;
  for (const Row& row : rows_) {
    if (std::find(modes.begin(), modes.end(), row.mode) == modes.end()) modes.push_back(row.mode);
  }
  for (const auto& mode : modes) out += table(mode);
  if (!notes_.empty()) out += "\n";
  for (const auto& note : notes_) out += note + "\n";
  return out;
}

std::string Report::json() const {
  nlohmann::ordered_json all;
  all["machine"] = machine_;
  all["whole"] = !faulty();
  for (const Row& row : rows_) {
    nlohmann::ordered_json one = {{"mode", row.mode}, {"row", row.name}};
    for (const auto& column : row.columns) {
      one["median"][column] = median(row.runs.at(column));
      one["runs"][column] = row.runs.at(column);
    }
    all["results"].push_back(std::move(one));
  }
  all["notes"] = notes_;
  return all.dump(1) + "\n";
}

}  // namespace tokenrelay::bench
