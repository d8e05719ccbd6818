// Report: figures by mode, row and column; the median over the repetitions, as a table and as JSON.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tokenrelay::bench {

using Values = std::vector<std::pair<std::string, double>>;  // in the order of the columns; the name ends in the unit

class Report {
 public:
  explicit Report(std::string machine) : machine_(std::move(machine)) {}

  void add(const std::string& mode, const std::string& row, const Values& values);
  void note(std::string line) { notes_.push_back(std::move(line)); }  // printed below the tables
  void fault(std::string what);  // delivered was not what was sent; at most ten are kept
  bool faulty() const { return faults_ > 0; }

  std::string text() const;
  std::string json() const;

 private:
  struct Row {
    std::string mode, name;
    std::vector<std::string> columns;
    std::map<std::string, std::vector<double>> runs;
  };
  const std::string machine_;
  std::vector<Row> rows_;
  std::vector<std::string> notes_;
  size_t faults_ = 0;
};

}  // namespace tokenrelay::bench
