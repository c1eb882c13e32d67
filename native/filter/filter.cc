#include "filter/filter.h"

#include <mutex>

#include "filter/journal.h"
#include "filter/read_set.h"
#include "filter/rules.h"

namespace lamina::filter {

namespace {

class FileFilter final : public Filter {
 public:
  FileFilter(Rules rules, std::unique_ptr<Journal> journal, std::unique_ptr<ReadSet> reads)
      : rules_(std::move(rules)), journal_(std::move(journal)), reads_(std::move(reads)) {}

  [[nodiscard]] Decision decide(std::string_view path) const override { return rules_.decide(path); }
  [[nodiscard]] bool may_protect_below(std::string_view directory) const override {
    return rules_.may_protect_below(directory);
  }
  [[nodiscard]] bool records_reads() const override { return reads_ != nullptr; }
  [[nodiscard]] bool records_changes() const override { return journal_ != nullptr; }
  Status start() override {
    if (reads_) reads_->recover();
    return journal_ ? journal_->start() : Status();
  }
  void record_change(const Change& change, const Receipt& receipt) override {
    if (journal_) journal_->record(change, receipt);
  }
  [[nodiscard]] Receipt last_receipt() const override { return journal_ ? journal_->last_receipt() : Receipt(); }
  void record_read(ReadKind kind, std::string_view path) override {
    if (reads_) reads_->record(kind, path);
  }
  Status flush() override { return journal_ ? journal_->flush() : Status(); }
  Status close() override {
    const std::lock_guard lock(closing_);
    const Status journal = journal_ ? journal_->close() : Status();
    const Status reads = reads_ ? reads_->write() : Status();
    return journal.ok() ? reads : journal;
  }

 private:
  const Rules rules_;
  const std::unique_ptr<Journal> journal_;
  const std::unique_ptr<ReadSet> reads_;
  std::mutex closing_;
};

}  // namespace

Result<std::unique_ptr<Filter>> Filter::open(const FilterOptions& options, std::string& explanation) {
  Rules rules;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<ReadSet> reads;
  if (!options.rules.empty()) {
    LAMINA_ASSIGN(rules, Rules::load(options.rules, explanation));
  }
  if (!options.read_set.empty()) {
    LAMINA_ASSIGN(reads, ReadSet::open(options.read_set, explanation));
  }
  if (!options.journal.empty()) {
    LAMINA_ASSIGN(journal, Journal::open(options.journal, explanation));
  }
  return std::unique_ptr<Filter>(std::make_unique<FileFilter>(std::move(rules), std::move(journal), std::move(reads)));
}

}  // namespace lamina::filter
