# Turns a JSON document into lines "path=value" (a.b.0=text): enough to read meta_data.json with busybox.
# Control characters in strings become spaces; a trailing space is dropped.
{ text = text $0 "\n" }
END { at = 1; value("") }

function here() { return substr(text, at, 1) }
function skip_space() { while (here() ~ /[ \t\r\n]/) at++ }
function skip_comma() { skip_space(); if (here() == ",") at++; skip_space() }
function more(close_mark) { return at <= length(text) && here() != close_mark }

function string(    out, c) {
  at++
  while (more("\"")) {
    c = here()
    if (c == "\\") {
      at++
      c = here()
      if (c == "u") { c = unicode(substr(text, at + 1, 4)); at += 4 }
      else if (c ~ /[ntrbf]/) c = " "
    }
    out = out c
    at++
  }
  at++
  return out
}

# Only ASCII: names and keys are.
function unicode(digits,    n, i) {
  n = 0
  for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
  return (n >= 32 && n < 127) ? sprintf("%c", n) : "?"
}

function value(path,    c, key, i, word) {
  skip_space()
  c = here()
  if (c == "{") {
    at++; skip_space()
    while (more("}")) {
      key = string(); skip_space(); at++
      value(path == "" ? key : path "." key)
      skip_comma()
    }
    at++
  } else if (c == "[") {
    at++; skip_space()
    for (i = 0; more("]"); i++) { value(path "." i); skip_comma() }
    at++
  } else if (c == "\"") {
    word = string()
    sub(/ +$/, "", word)
    print path "=" word
  } else {
    while (at <= length(text) && here() !~ /[],} \t\r\n]/) { word = word here(); at++ }
    if (word == "") at++  # not JSON; go on rather than round and round
    print path "=" word
  }
}
