#include "core/data/npy.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <set>

#include "core/data/convert.h"
#include "core/io/read_file.h"

namespace latent {
namespace {

/// The header's Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class Header {
 public:
  Header(std::string_view text, const std::string& where) : text_(text), where_(where) {
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      if (!seen_.insert(key).second) fail();
      expect(':');
      if (key == "descr")
        descr = description();
      else if (key == "fortran_order")
        fortran = boolean();
      else if (key == "shape")
        shape = tuple();
      else
        fail();
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size() || seen_.size() != 3) fail();
  }

  std::string descr;  ///< "" for records
  bool fortran = false;
  Shape shape;

 private:
  [[noreturn]] void fail() const {
    throw UserError(cat(where_, ": its NPY header is not understood: ", text_.substr(0, 80)));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  std::string quoted() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect(quote);
    const size_t end = text_.find(quote, at_);
    if (end == text_.npos) fail();
    std::string out(text_.substr(at_, end - at_));
    at_ = end + 1;
    return out;
  }
  std::string description() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '[')
      throw UserError(cat(where_, ": is an array of records, which is not supported"));
    return quoted();
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair("True", true), std::pair("False", false)})
      if (text_.substr(at_).starts_with(word)) {
        at_ += std::string_view(word).size();
        return value;
      }
    fail();
  }
  Shape tuple() {
    Shape out;
    expect('(');
    while (!take(')')) {
      skip_blanks();
      int64_t d = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), d);
      if (error != std::errc() || d < 0) fail();
      at_ = static_cast<size_t>(end - text_.data());
      out.push_back(d);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
  std::set<std::string> seen_;
};

struct Element {
  std::string_view name;  ///< without the byte order
  size_t size;
  HostTensor (*make)(Shape, std::span<const std::byte>);
};

template <DType dtype>
HostTensor as_is(Shape shape, std::span<const std::byte> bytes) {
  HostTensor out(Type{dtype, std::move(shape)});
  std::ranges::copy(bytes, out.bytes.begin());
  return out;
}

constexpr Element kElements[] = {
    {"b1", 1, as_is<DType::u8>},   {"u1", 1, as_is<DType::u8>},   {"f2", 2, as_is<DType::f16>},
    {"f4", 4, as_is<DType::f32>},  {"f8", 8, as_is<DType::f64>},  {"i1", 1, integers<int8_t>},
    {"i2", 2, integers<int16_t>},  {"u2", 2, integers<uint16_t>}, {"i4", 4, integers<int32_t>},
    {"u4", 4, integers<uint32_t>}, {"i8", 8, integers<int64_t>},  {"u8", 8, integers<uint64_t>},
};

const Element& element_of(const std::string& descr, const std::string& where) {
  const std::string_view name =
      descr.empty() ? std::string_view() : std::string_view(descr).substr(1);
  const auto* found = std::ranges::find(kElements, name, &Element::name);
  const bool order =
      !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  if (order && found != std::end(kElements)) return *found;
  const char kind = name.empty() ? ' ' : name[0];
  const char* what = kind == 'O'                  ? "pickled Python objects"
                     : kind == 'U' || kind == 'S' ? "text"
                     : kind == 'c'                ? "complex numbers"
                     : kind == 'M' || kind == 'm' ? "dates"
                                                  : "elements of an unknown type";
  throw UserError(cat(where, ": holds ", what, " (dtype `", descr,
                      "`); supported are bool, integers and floats of 16, 32 and 64 bits"));
}

/// Elements of a Fortran-ordered array, in C order: the last index runs fastest.
std::string from_fortran_order(std::string_view data, const Shape& shape, size_t size) {
  std::string out(data.size(), '\0');
  const size_t rank = shape.size();
  std::vector<size_t> strides(rank), index(rank, 0);
  size_t stride = size;
  for (size_t i = 0; i < rank; ++i) {
    strides[i] = stride;
    stride *= static_cast<size_t>(shape[i]);
  }
  for (size_t to = 0; to < data.size(); to += size) {
    const size_t from = std::inner_product(index.begin(), index.end(), strides.begin(), size_t{0});
    std::copy_n(data.begin() + static_cast<int64_t>(from), size,
                out.begin() + static_cast<int64_t>(to));
    for (size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < static_cast<size_t>(shape[axis])) break;
      index[axis] = 0;
    }
  }
  return out;
}

void swap_bytes(std::string& data, size_t size) {
  for (size_t i = 0; i + size <= data.size(); i += size)
    std::reverse(data.begin() + static_cast<int64_t>(i),
                 data.begin() + static_cast<int64_t>(i + size));
}

void check_size(const Shape& shape, size_t element, size_t size, const std::string& where) {
  const auto held = static_cast<int64_t>(size);
  int64_t wanted = static_cast<int64_t>(element);
  bool overflow = false;
  for (int64_t d : shape) overflow |= __builtin_mul_overflow(wanted, d, &wanted);
  if (overflow || wanted > held)
    throw UserError(cat(where, ": its header claims ", to_string(shape), " elements of ", element,
                        " bytes, it holds ", held, " bytes: is it truncated?"));
  if (wanted < held)
    throw UserError(cat(where, ": ", held - wanted, " bytes behind its array ", to_string(shape)));
}

/// The header of an NPY file; `bytes` become what lies behind it.
Header read_header(std::string_view& bytes, const std::string& where) {
  if (!bytes.starts_with("\x93NUMPY"))
    throw UserError(cat(where, ": is not an NPY file: its magic number is missing"));
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes[i])); };
  const bool v1 = bytes.size() > 6 && byte(6) == 1;
  const size_t begin = v1 ? 10 : 12;
  if (bytes.size() < begin) throw UserError(cat(where, ": is truncated inside its header"));
  if (byte(6) < 1 || byte(6) > 3)
    throw UserError(cat(where, ": is an NPY file of version ", byte(6), "; known are 1 to 3"));
  const size_t length = byte(8) | byte(9) << 8 | (v1 ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > bytes.size() - begin)
    throw UserError(
        cat(where, ": is truncated: its header of ", length, " bytes reaches beyond it"));

  const Header header(bytes.substr(begin, length), where);
  bytes.remove_prefix(begin + length);
  return header;
}

}  // namespace

HostTensor parse_npy(std::string_view held, const std::string& where) {
  const Header header = read_header(held, where);
  const Element& element = element_of(header.descr, where);
  check_size(header.shape, element.size, held.size(), where);
  std::string own;
  if (header.descr[0] == '>' && element.size > 1) {
    own = held;
    swap_bytes(own, element.size);
    held = own;
  }
  if (header.fortran && header.shape.size() > 1) {
    own = from_fortran_order(held, header.shape, element.size);
    held = own;
  }
  return element.make(header.shape, std::as_bytes(std::span(held)));
}

std::string parse_npy_text(std::string_view held, const std::string& where) {
  const Header header = read_header(held, where);
  if (elements(header.shape) != 1 || !header.descr.starts_with("|S"))
    throw UserError(cat(where, ": is ", to_string(header.shape), " elements of dtype `",
                        header.descr, "`, and must be one of bytes"));
  return std::string(held.substr(0, held.find('\0')));
}

HostTensor read_npy(const std::filesystem::path& path) {
  return parse_npy(read_gzip_file(path), path.string());
}

std::string npy_bytes(const HostTensor& array) {
  array.as<float>();  // throws for others
  std::string shape;
  for (int64_t d : array.type.shape) shape += std::to_string(d) + ", ";
  if (array.type.rank() > 1) shape.resize(shape.size() - 2);
  if (array.type.rank() == 1) shape.pop_back();
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  // Magic, version, length and header fill a multiple of 64 bytes.
  header.resize((header.size() + 10 + 64) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  std::string out = "\x93NUMPY";
  out +=
      {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  out += header;
  out.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  return out;
}

}  // namespace latent
