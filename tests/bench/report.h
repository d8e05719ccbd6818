// Report: figures by mode, row and column, the median over the repetitions, as a table and as JSON; and lines to be
// drawn, of the last repetition.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tokenrelay::bench {

using Values = std::vector<std::pair<std::string, double>>;  // in the order of the columns; the name ends in the unit

class Report {
 public:
  explicit Report(std::string machine) : machine_(std::move(machine)) {}

  void add(const std::string& mode, const std::string& name, const Values& values);
  void note(std::string line) { notes_.push_back(std::move(line)); }  // printed below the tables
  void fault(std::string what);       // delivered was not what was sent; at most ten are kept
  void peer_fault(std::string what);  // the same of a peer whose figures no target is held against
  bool faulty() const { return faults_ + peer_faults_ > 0; }
  bool targets_hold() const { return faults_ == 0; }
  const std::string& machine() const { return machine_; }

  using Curve = std::vector<std::pair<double, double>>;
  using Plot = std::vector<std::pair<std::string, Curve>>;  // its lines, by name
  void draw(const std::string& plot, const std::string& line, Curve points);
  const std::map<std::string, Plot>& plots() const { return plots_; }

  // Medians: of one figure; of a column's figures in all rows of a mode.
  std::optional<double> figure(const std::string& mode, const std::string& row, const std::string& column) const;
  std::vector<std::pair<std::string, double>> column(const std::string& mode, const std::string& column) const;

  std::string text() const;
  std::string json() const;

 private:
  struct Row {
    std::string mode, name;
    std::vector<std::string> columns;
    std::map<std::string, std::vector<double>> runs;
  };
  std::string table(const std::string& mode) const;

  const std::string machine_;
  std::vector<Row> rows_;
  std::map<std::string, Plot> plots_;
  std::vector<std::string> notes_;
  size_t faults_ = 0, peer_faults_ = 0;
};

}  // namespace tokenrelay::bench
