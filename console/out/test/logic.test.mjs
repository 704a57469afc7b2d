// test/logic.ts
import assert from "node:assert/strict";
import { test } from "node:test";

// src/estimate.ts
var WINDOW_MS = 6e4;
function noted(samples, next) {
  const last = samples.at(-1);
  if (last !== void 0 && next.share < last.share) return [next];
  if (last !== void 0 && next.share === last.share) return samples;
  return [...samples, next].filter((one, index, all) => next.at - one.at <= WINDOW_MS || index >= all.length - 2);
}
function rate(samples) {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === void 0 || last === void 0 || last.at <= first.at) return 0;
  return (last.share - first.share) * 1e3 / (last.at - first.at);
}
function remaining(samples, now) {
  const speed = rate(samples);
  const last = samples.at(-1);
  if (speed <= 0 || last === void 0) return void 0;
  return Math.max(0, (1 - last.share) / speed - (now - last.at) / 1e3);
}

// src/format.ts
function clock(seconds, tenths = false) {
  const whole = tenths ? Math.round(seconds * 10) / 10 : Math.round(seconds);
  const [h4, m5, s4] = [Math.floor(whole / 3600), Math.floor(whole % 3600 / 60), whole % 60];
  const told = tenths ? s4.toFixed(1).padStart(4, "0") : String(s4).padStart(2, "0");
  return h4 > 0 ? `${h4}:${String(m5).padStart(2, "0")}:${told}` : `${m5}:${told}`;
}
function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1e3 && unit < units.length - 1) {
    value /= 1e3;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
function about(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
function idOf(filename) {
  const plain = filename.replace(/\.[^.]*$/, "").normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40).replace(/-+$/, "");
  return plain === "" ? "match" : plain;
}
function safeName(filename) {
  const plain = filename.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return (plain === "" ? "video" : plain).slice(-100).replace(/^[^A-Za-z0-9]+/, "v");
}

// src/geometry.ts
var LEAST = 2e-3;
function iou(a4, b4) {
  const w5 = Math.min(a4.x + a4.w, b4.x + b4.w) - Math.max(a4.x, b4.x);
  const h4 = Math.min(a4.y + a4.h, b4.y + b4.h) - Math.max(a4.y, b4.y);
  if (w5 <= 0 || h4 <= 0) return 0;
  return w5 * h4 / (a4.w * a4.h + b4.w * b4.h - w5 * h4);
}
var within = (value, low, high) => Math.min(Math.max(value, low), high);
function inside(box) {
  const w5 = within(box.w, LEAST, 1);
  const h4 = within(box.h, LEAST, 1);
  return { x: within(box.x, 0, 1 - w5), y: within(box.y, 0, 1 - h4), w: w5, h: h4 };
}
function between(a4, b4) {
  const [x1, x22] = [within(Math.min(a4.x, b4.x), 0, 1), within(Math.max(a4.x, b4.x), 0, 1)];
  const [y1, y22] = [within(Math.min(a4.y, b4.y), 0, 1), within(Math.max(a4.y, b4.y), 0, 1)];
  return inside({ x: x1, y: y1, w: x22 - x1, h: y22 - y1 });
}
function neighbour(from, all, dx, dy) {
  const middle = (box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });
  const here = middle(from);
  let best;
  let least = Infinity;
  for (const one of all) {
    const there = middle(one.bbox);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    const across = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    if (along > across / 2 && along + 2 * across < least) {
      least = along + 2 * across;
      best = one;
    }
  }
  return best;
}

// node_modules/preact/dist/preact.mjs
var n;
var l;
var u;
var t;
var i;
var r;
var o;
var e;
var f;
var c;
var a;
var s;
var h;
var p;
var v;
var y;
var d = {};
var w = [];
var _ = /acit|ex(?:s|g|n|p|$)|rph|grid|ows|mnc|ntw|ine[ch]|zoo|^ord|itera/i;
var g = Array.isArray;
function m(n3, l4) {
  for (var u4 in l4) n3[u4] = l4[u4];
  return n3;
}
function b(n3) {
  n3 && n3.parentNode && n3.parentNode.removeChild(n3);
}
function k(l4, u4, t4) {
  var i4, r4, o4, e4 = {};
  for (o4 in u4) "key" == o4 ? i4 = u4[o4] : "ref" == o4 ? r4 = u4[o4] : e4[o4] = u4[o4];
  if (arguments.length > 2 && (e4.children = arguments.length > 3 ? n.call(arguments, 2) : t4), "function" == typeof l4 && null != l4.defaultProps) for (o4 in l4.defaultProps) void 0 === e4[o4] && (e4[o4] = l4.defaultProps[o4]);
  return x(l4, e4, i4, r4, null);
}
function x(n3, t4, i4, r4, o4) {
  var e4 = { type: n3, props: t4, key: i4, ref: r4, __k: null, __: null, __b: 0, __e: null, __c: null, constructor: void 0, __v: null == o4 ? ++u : o4, __i: -1, __u: 0 };
  return null == o4 && null != l.vnode && l.vnode(e4), e4;
}
function S(n3) {
  return n3.children;
}
function C(n3, l4) {
  this.props = n3, this.context = l4;
}
function $(n3, l4) {
  if (null == l4) return n3.__ ? $(n3.__, n3.__i + 1) : null;
  for (var u4; l4 < n3.__k.length; l4++) if (null != (u4 = n3.__k[l4]) && null != u4.__e) return u4.__e;
  return "function" == typeof n3.type ? $(n3) : null;
}
function I(n3) {
  if (n3.__P && n3.__d) {
    var u4 = n3.__v, t4 = u4.__e, i4 = [], r4 = [], o4 = m({}, u4);
    o4.__v = u4.__v + 1, l.vnode && l.vnode(o4), q(n3.__P, o4, u4, n3.__n, n3.__P.namespaceURI, 32 & u4.__u ? [t4] : null, i4, null == t4 ? $(u4) : t4, !!(32 & u4.__u), r4), o4.__v = u4.__v, o4.__.__k[o4.__i] = o4, D(i4, o4, r4), u4.__e = u4.__ = null, o4.__e != t4 && P(o4);
  }
}
function P(n3) {
  if (null != (n3 = n3.__) && null != n3.__c) return n3.__e = n3.__c.base = null, n3.__k.some(function(l4) {
    if (null != l4 && null != l4.__e) return n3.__e = n3.__c.base = l4.__e;
  }), P(n3);
}
function A(n3) {
  (!n3.__d && (n3.__d = true) && i.push(n3) && !H.__r++ || r != l.debounceRendering) && ((r = l.debounceRendering) || o)(H);
}
function H() {
  try {
    for (var n3, l4 = 1; i.length; ) i.length > l4 && i.sort(e), n3 = i.shift(), l4 = i.length, I(n3);
  } finally {
    i.length = H.__r = 0;
  }
}
function L(n3, l4, u4, t4, i4, r4, o4, e4, f4, c4, a4) {
  var s4, h4, p5, v5, y4, _3, g4 = t4 && t4.__k || w, m5 = l4.length;
  for (f4 = T(u4, l4, g4, f4, m5), s4 = 0; s4 < m5; s4++) null != (p5 = u4.__k[s4]) && (h4 = -1 != p5.__i && g4[p5.__i] || d, p5.__i = s4, _3 = q(n3, p5, h4, i4, r4, o4, e4, f4, c4, a4), v5 = p5.__e, p5.ref && h4.ref != p5.ref && (h4.ref && J(h4.ref, null, p5), a4.push(p5.ref, p5.__c || v5, p5)), null == y4 && null != v5 && (y4 = v5), 4 & p5.__u ? (f4 = j(p5, f4, n3), h4.__e && (h4.__e = null)) : "function" == typeof p5.type && void 0 !== _3 ? f4 = _3 : v5 && (f4 = v5.nextSibling), p5.__u &= -7);
  return u4.__e = y4, f4;
}
function T(n3, l4, u4, t4, i4) {
  var r4, o4, e4, f4, c4, a4 = u4.length, s4 = a4, h4 = 0;
  for (n3.__k = new Array(i4), r4 = 0; r4 < i4; r4++) null != (o4 = l4[r4]) && "boolean" != typeof o4 && "function" != typeof o4 ? ("string" == typeof o4 || "number" == typeof o4 || "bigint" == typeof o4 || o4.constructor == String ? o4 = n3.__k[r4] = x(null, o4, null, null, null) : g(o4) ? o4 = n3.__k[r4] = x(S, { children: o4 }, null, null, null) : void 0 === o4.constructor && o4.__b > 0 ? o4 = n3.__k[r4] = x(o4.type, o4.props, o4.key, o4.ref ? o4.ref : null, o4.__v) : n3.__k[r4] = o4, f4 = r4 + h4, o4.__ = n3, o4.__b = n3.__b + 1, e4 = null, -1 != (c4 = o4.__i = O(o4, u4, f4, s4)) && (s4--, (e4 = u4[c4]) && (e4.__u |= 2)), null == e4 || null == e4.__v ? (-1 == c4 && (i4 > a4 ? h4-- : i4 < a4 && h4++), "function" != typeof o4.type && (o4.__u |= 4)) : c4 != f4 && (c4 == f4 - 1 ? h4-- : c4 == f4 + 1 ? h4++ : (c4 > f4 ? h4-- : h4++, o4.__u |= 4))) : n3.__k[r4] = null;
  if (s4) for (r4 = 0; r4 < a4; r4++) null != (e4 = u4[r4]) && 0 == (2 & e4.__u) && (e4.__e == t4 && (t4 = $(e4)), K(e4, e4));
  return t4;
}
function j(n3, l4, u4) {
  var t4, i4;
  if ("function" == typeof n3.type) {
    for (t4 = n3.__k, i4 = 0; t4 && i4 < t4.length; i4++) t4[i4] && (t4[i4].__ = n3, l4 = j(t4[i4], l4, u4));
    return l4;
  }
  n3.__e != l4 && (l4 && n3.type && !l4.parentNode && (l4 = $(n3)), l4 = u4.insertBefore(n3.__e, l4 || null));
  do {
    l4 = l4 && l4.nextSibling;
  } while (null != l4 && 8 == l4.nodeType);
  return l4;
}
function O(n3, l4, u4, t4) {
  var i4, r4, o4, e4 = n3.key, f4 = n3.type, c4 = l4[u4], a4 = null != c4 && 0 == (2 & c4.__u);
  if (null === c4 && null == e4 || a4 && e4 == c4.key && f4 == c4.type) return u4;
  if (t4 > (a4 ? 1 : 0)) {
    for (i4 = u4 - 1, r4 = u4 + 1; i4 >= 0 || r4 < l4.length; ) if (null != (c4 = l4[o4 = i4 >= 0 ? i4-- : r4++]) && 0 == (2 & c4.__u) && e4 == c4.key && f4 == c4.type) return o4;
  }
  return -1;
}
function z(n3, l4, u4) {
  "-" == l4[0] ? n3.setProperty(l4, null == u4 ? "" : u4) : n3[l4] = null == u4 ? "" : "number" != typeof u4 || _.test(l4) ? u4 : u4 + "px";
}
function N(n3, l4, u4, t4, i4) {
  var r4, o4;
  n: if ("style" == l4) if ("string" == typeof u4) n3.style.cssText = u4;
  else {
    if ("string" == typeof t4 && (n3.style.cssText = t4 = ""), t4) for (l4 in t4) u4 && l4 in u4 || z(n3.style, l4, "");
    if (u4) for (l4 in u4) t4 && u4[l4] == t4[l4] || z(n3.style, l4, u4[l4]);
  }
  else if ("o" == l4[0] && "n" == l4[1]) r4 = l4 != (l4 = l4.replace(s, "$1")), o4 = l4.toLowerCase(), l4 = o4 in n3 || "onFocusOut" == l4 || "onFocusIn" == l4 ? o4.slice(2) : l4.slice(2), n3.l || (n3.l = {}), n3.l[l4 + r4] = u4, u4 ? t4 ? u4[a] = t4[a] : (u4[a] = h, n3.addEventListener(l4, r4 ? v : p, r4)) : n3.removeEventListener(l4, r4 ? v : p, r4);
  else {
    if ("http://www.w3.org/2000/svg" == i4) l4 = l4.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
    else if ("width" != l4 && "height" != l4 && "href" != l4 && "list" != l4 && "form" != l4 && "tabIndex" != l4 && "download" != l4 && "rowSpan" != l4 && "colSpan" != l4 && "role" != l4 && "popover" != l4 && l4 in n3) try {
      n3[l4] = null == u4 ? "" : u4;
      break n;
    } catch (n4) {
    }
    "function" == typeof u4 || (null == u4 || false === u4 && "-" != l4[4] ? n3.removeAttribute(l4) : n3.setAttribute(l4, "popover" == l4 && 1 == u4 ? "" : u4));
  }
}
function V(n3) {
  return function(u4) {
    if (this.l) {
      var t4 = this.l[u4.type + n3];
      if (null == u4[c]) u4[c] = h++;
      else if (u4[c] < t4[a]) return;
      return t4(l.event ? l.event(u4) : u4);
    }
  };
}
function q(n3, u4, t4, i4, r4, o4, e4, f4, c4, a4) {
  var s4, h4, p5, v5, y4, d4, _3, k5, x3, M2, I2, P2, A4, H2, T3, j4, F2 = u4.type;
  if (void 0 !== u4.constructor) return null;
  128 & t4.__u && (c4 = !!(32 & t4.__u), o4 = [f4 = u4.__e = t4.__e]), (s4 = l.__b) && s4(u4);
  n: if ("function" == typeof F2) {
    h4 = e4.length;
    try {
      if (x3 = u4.props, M2 = F2.prototype && F2.prototype.render, I2 = (s4 = F2.contextType) && i4[s4.__c], P2 = s4 ? I2 ? I2.props.value : s4.__ : i4, t4.__c ? k5 = (p5 = u4.__c = t4.__c).__ = p5.__E : (M2 ? u4.__c = p5 = new F2(x3, P2) : (u4.__c = p5 = new C(x3, P2), p5.constructor = F2, p5.render = Q), I2 && I2.sub(p5), p5.state || (p5.state = {}), p5.__n = i4, v5 = p5.__d = true, p5.__h = [], p5._sb = []), M2 && null == p5.__s && (p5.__s = p5.state), M2 && null != F2.getDerivedStateFromProps && (p5.__s == p5.state && (p5.__s = m({}, p5.__s)), m(p5.__s, F2.getDerivedStateFromProps(x3, p5.__s))), y4 = p5.props, d4 = p5.state, p5.__v = u4, v5) M2 && null == F2.getDerivedStateFromProps && null != p5.componentWillMount && p5.componentWillMount(), M2 && null != p5.componentDidMount && p5.__h.push(p5.componentDidMount);
      else {
        if (M2 && null == F2.getDerivedStateFromProps && x3 !== y4 && null != p5.componentWillReceiveProps && p5.componentWillReceiveProps(x3, P2), u4.__v == t4.__v || !p5.__e && null != p5.shouldComponentUpdate && false === p5.shouldComponentUpdate(x3, p5.__s, P2)) {
          u4.__v != t4.__v && (p5.props = x3, p5.state = p5.__s, p5.__d = false), u4.__e = t4.__e, u4.__k = t4.__k, u4.__k.some(function(n4) {
            n4 && (n4.__ = u4);
          }), w.push.apply(p5.__h, p5._sb), p5._sb = [], p5.__h.length && e4.push(p5), f4 = $(t4);
          break n;
        }
        null != p5.componentWillUpdate && p5.componentWillUpdate(x3, p5.__s, P2), M2 && null != p5.componentDidUpdate && p5.__h.push(function() {
          p5.componentDidUpdate(y4, d4, _3);
        });
      }
      if (p5.context = P2, p5.props = x3, p5.__P = n3, p5.__e = false, A4 = l.__r, H2 = 0, M2) p5.state = p5.__s, p5.__d = false, A4 && A4(u4), s4 = p5.render(p5.props, p5.state, p5.context), w.push.apply(p5.__h, p5._sb), p5._sb = [];
      else do {
        p5.__d = false, A4 && A4(u4), s4 = p5.render(p5.props, p5.state, p5.context), p5.state = p5.__s;
      } while (p5.__d && ++H2 < 25);
      p5.state = p5.__s, null != p5.getChildContext && (i4 = m(m({}, i4), p5.getChildContext())), M2 && !v5 && null != p5.getSnapshotBeforeUpdate && (_3 = p5.getSnapshotBeforeUpdate(y4, d4)), T3 = null != s4 && s4.type === S && null == s4.key ? E(s4.props.children) : s4, f4 = L(n3, g(T3) ? T3 : [T3], u4, t4, i4, r4, o4, e4, f4, c4, a4), p5.base = u4.__e, u4.__u &= -161, p5.__h.length && e4.push(p5), k5 && (p5.__E = p5.__ = null);
    } catch (n4) {
      if (e4.length = h4, u4.__v = null, c4 || null != o4) {
        if (n4.then) {
          for (u4.__u |= c4 ? 160 : 128; f4 && 8 == f4.nodeType && f4.nextSibling; ) f4 = f4.nextSibling;
          null != o4 && (o4[o4.indexOf(f4)] = null), u4.__e = f4;
        } else if (null != o4) for (j4 = o4.length; j4--; ) b(o4[j4]);
      } else u4.__e = t4.__e;
      null == u4.__k && (u4.__k = t4.__k || []), n4.then || B(u4), l.__e(n4, u4, t4);
    }
  } else null == o4 && u4.__v == t4.__v ? (u4.__k = t4.__k, u4.__e = t4.__e) : f4 = u4.__e = G(t4.__e, u4, t4, i4, r4, o4, e4, c4, a4);
  return (s4 = l.diffed) && s4(u4), 128 & u4.__u ? void 0 : f4;
}
function B(n3) {
  n3 && (n3.__c && (n3.__c.__e = true), n3.__k && n3.__k.some(B));
}
function D(n3, u4, t4) {
  for (var i4 = 0; i4 < t4.length; i4++) J(t4[i4], t4[++i4], t4[++i4]);
  l.__c && l.__c(u4, n3), n3.some(function(u5) {
    try {
      n3 = u5.__h, u5.__h = [], n3.some(function(n4) {
        n4.call(u5);
      });
    } catch (n4) {
      l.__e(n4, u5.__v);
    }
  });
}
function E(n3) {
  return "object" != typeof n3 || null == n3 || n3.__b > 0 ? n3 : g(n3) ? n3.map(E) : void 0 !== n3.constructor ? null : m({}, n3);
}
function G(u4, t4, i4, r4, o4, e4, f4, c4, a4) {
  var s4, h4, p5, v5, y4, w5, _3, m5 = i4.props || d, k5 = t4.props, x3 = t4.type;
  if ("svg" == x3 ? o4 = "http://www.w3.org/2000/svg" : "math" == x3 ? o4 = "http://www.w3.org/1998/Math/MathML" : o4 || (o4 = "http://www.w3.org/1999/xhtml"), null != e4) {
    for (s4 = 0; s4 < e4.length; s4++) if ((y4 = e4[s4]) && "setAttribute" in y4 == !!x3 && (x3 ? y4.localName == x3 : 3 == y4.nodeType)) {
      u4 = y4, e4[s4] = null;
      break;
    }
  }
  if (null == u4) {
    if (null == x3) return document.createTextNode(k5);
    u4 = document.createElementNS(o4, x3, k5.is && k5), c4 && (l.__m && l.__m(t4, e4), c4 = false), e4 = null;
  }
  if (null == x3) m5 === k5 || c4 && u4.data == k5 || (u4.data = k5);
  else {
    if (e4 = "textarea" == x3 && null != k5.defaultValue ? null : e4 && n.call(u4.childNodes), !c4 && null != e4) for (m5 = {}, s4 = 0; s4 < u4.attributes.length; s4++) m5[(y4 = u4.attributes[s4]).name] = y4.value;
    for (s4 in m5) y4 = m5[s4], "dangerouslySetInnerHTML" == s4 ? p5 = y4 : "children" == s4 || s4 in k5 || "value" == s4 && "defaultValue" in k5 || "checked" == s4 && "defaultChecked" in k5 || N(u4, s4, null, y4, o4);
    for (s4 in k5) y4 = k5[s4], "children" == s4 ? v5 = y4 : "dangerouslySetInnerHTML" == s4 ? h4 = y4 : "value" == s4 ? w5 = y4 : "checked" == s4 ? _3 = y4 : c4 && "function" != typeof y4 || m5[s4] === y4 || N(u4, s4, y4, m5[s4], o4);
    if (h4) c4 || p5 && (h4.__html == p5.__html || h4.__html == u4.innerHTML) || (u4.innerHTML = h4.__html), t4.__k = [];
    else if (p5 && (u4.innerHTML = ""), L("template" == t4.type ? u4.content : u4, g(v5) ? v5 : [v5], t4, i4, r4, "foreignObject" == x3 ? "http://www.w3.org/1999/xhtml" : o4, e4, f4, e4 ? e4[0] : i4.__k && $(i4, 0), c4, a4), null != e4) for (s4 = e4.length; s4--; ) b(e4[s4]);
    c4 && "textarea" != x3 || (s4 = "value", "progress" == x3 && null == w5 ? u4.removeAttribute("value") : null != w5 && (w5 !== u4[s4] || "progress" == x3 && !w5 || "option" == x3 && w5 != m5[s4]) && N(u4, s4, w5, m5[s4], o4), s4 = "checked", null != _3 && _3 != u4[s4] && N(u4, s4, _3, m5[s4], o4));
  }
  return u4;
}
function J(n3, u4, t4) {
  try {
    if ("function" == typeof n3) {
      var i4 = "function" == typeof n3.__u;
      i4 && n3.__u(), i4 && null == u4 || (n3.__u = n3(u4));
    } else n3.current = u4;
  } catch (n4) {
    l.__e(n4, t4);
  }
}
function K(n3, u4, t4) {
  var i4, r4;
  if (l.unmount && l.unmount(n3), (i4 = n3.ref) && (i4.current && i4.current != n3.__e || J(i4, null, u4)), null != (i4 = n3.__c)) {
    if (i4.componentWillUnmount) try {
      i4.componentWillUnmount();
    } catch (n4) {
      l.__e(n4, u4);
    }
    i4.base = i4.__P = i4.__n = null;
  }
  if (i4 = n3.__k) for (r4 = 0; r4 < i4.length; r4++) i4[r4] && K(i4[r4], u4, t4 || "function" != typeof n3.type);
  t4 || b(n3.__e), n3.__c = n3.__ = n3.__e = void 0;
}
function Q(n3, l4, u4) {
  return this.constructor(n3, u4);
}
n = w.slice, l = { __e: function(n3, l4, u4, t4) {
  for (var i4, r4, o4; l4 = l4.__; ) if ((i4 = l4.__c) && !i4.__) try {
    if ((r4 = i4.constructor) && null != r4.getDerivedStateFromError && (i4.setState(r4.getDerivedStateFromError(n3)), o4 = i4.__d), null != i4.componentDidCatch && (i4.componentDidCatch(n3, t4 || {}), o4 = i4.__d), o4) return i4.__E = i4;
  } catch (l5) {
    n3 = l5;
  }
  throw n3;
} }, u = 0, t = function(n3) {
  return null != n3 && void 0 === n3.constructor;
}, C.prototype.setState = function(n3, l4) {
  var u4;
  u4 = null != this.__s && this.__s != this.state ? this.__s : this.__s = m({}, this.state), "function" == typeof n3 && (n3 = n3(m({}, u4), this.props)), n3 && m(u4, n3), null != n3 && this.__v && (l4 && this._sb.push(l4), A(this));
}, C.prototype.forceUpdate = function(n3) {
  this.__v && (this.__e = true, n3 && this.__h.push(n3), A(this));
}, C.prototype.render = S, i = [], o = "function" == typeof Promise ? Promise.prototype.then.bind(Promise.resolve()) : setTimeout, e = function(n3, l4) {
  return n3.__v.__b - l4.__v.__b;
}, H.__r = 0, f = Math.random().toString(8), c = "__d" + f, a = "__a" + f, s = /(PointerCapture)$|Capture$/i, h = 0, p = V(false), v = V(true), y = 0;

// node_modules/preact/hooks/dist/hooks.mjs
var t2;
var r2;
var u2;
var i2;
var o2 = 0;
var f2 = [];
var c2 = l;
var e2 = c2.__b;
var a2 = c2.__r;
var v2 = c2.diffed;
var l2 = c2.__c;
var m2 = c2.unmount;
var p2 = c2.__;
function s2(n3, t4) {
  c2.__h && c2.__h(r2, n3, o2 || t4), o2 = 0;
  var u4 = r2.__H || (r2.__H = { __: [], __h: [] });
  return n3 >= u4.__.length && u4.__.push({}), u4.__[n3];
}
function T2(n3, r4) {
  var u4 = s2(t2++, 7);
  return C2(u4.__H, r4) && (u4.__ = n3(), u4.__H = r4, u4.__h = n3), u4.__;
}
function j2() {
  for (var n3; n3 = f2.shift(); ) {
    var t4 = n3.__H;
    if (n3.__P && t4) try {
      t4.__h.some(z2), t4.__h.some(B2), t4.__h = [];
    } catch (r4) {
      t4.__h = [], c2.__e(r4, n3.__v);
    }
  }
}
c2.__b = function(n3) {
  r2 = null, e2 && e2(n3);
}, c2.__ = function(n3, t4) {
  n3 && t4.__k && t4.__k.__m && (n3.__m = t4.__k.__m), p2 && p2(n3, t4);
}, c2.__r = function(n3) {
  a2 && a2(n3), t2 = 0;
  var i4 = (r2 = n3.__c).__H;
  i4 && (u2 === r2 ? (i4.__h = [], r2.__h = [], i4.__.some(function(n4) {
    n4.__N && (n4.__ = n4.__N), n4.u = n4.__N = void 0;
  })) : (i4.__h.some(z2), i4.__h.some(B2), i4.__h = [], t2 = 0)), u2 = r2;
}, c2.diffed = function(n3) {
  v2 && v2(n3);
  var t4 = n3.__c;
  t4 && t4.__H && (t4.__H.__h.length && (1 !== f2.push(t4) && i2 === c2.requestAnimationFrame || ((i2 = c2.requestAnimationFrame) || w2)(j2)), t4.__H.__.some(function(n4) {
    n4.u && (n4.__H = n4.u, n4.u = void 0);
  })), u2 = r2 = null;
}, c2.__c = function(n3, t4) {
  t4.some(function(n4) {
    try {
      n4.__h.some(z2), n4.__h = n4.__h.filter(function(n5) {
        return !n5.__ || B2(n5);
      });
    } catch (r4) {
      t4.some(function(n5) {
        n5.__h && (n5.__h = []);
      }), t4 = [], c2.__e(r4, n4.__v);
    }
  }), l2 && l2(n3, t4);
}, c2.unmount = function(n3) {
  m2 && m2(n3);
  var t4, r4 = n3.__c;
  r4 && r4.__H && (r4.__H.__.some(function(n4) {
    try {
      z2(n4);
    } catch (n5) {
      t4 = n5;
    }
  }), r4.__H = void 0, t4 && c2.__e(t4, r4.__v));
};
var k2 = "function" == typeof requestAnimationFrame;
function w2(n3) {
  var t4, r4 = function() {
    clearTimeout(u4), k2 && cancelAnimationFrame(t4), setTimeout(n3);
  }, u4 = setTimeout(r4, 35);
  k2 && (t4 = requestAnimationFrame(r4));
}
function z2(n3) {
  var t4 = r2, u4 = n3.__c;
  "function" == typeof u4 && (n3.__c = void 0, u4()), r2 = t4;
}
function B2(n3) {
  var t4 = r2;
  n3.__c = n3.__(), r2 = t4;
}
function C2(n3, t4) {
  return !n3 || n3.length !== t4.length || t4.some(function(t5, r4) {
    return t5 !== n3[r4];
  });
}

// node_modules/@preact/signals-core/dist/signals-core.mjs
var t3 = Symbol.for("preact-signals");
function i3() {
  if (e3 > 1) {
    e3--;
    return;
  }
  let t4, i4 = false;
  !(function() {
    let t5 = h2;
    h2 = void 0;
    while (void 0 !== t5) {
      const i5 = t5.S;
      if (i5.v === t5.v) {
        for (let n3 = i5.t; void 0 !== n3; n3 = n3.x) if (n3.i === t5.i) n3.i = i5.i;
      }
      t5 = t5.o;
    }
  })();
  while (void 0 !== r3) {
    let n3 = r3;
    r3 = void 0;
    c3++;
    while (void 0 !== n3) {
      const o4 = n3.u;
      n3.u = void 0;
      n3.f &= -3;
      if (!(8 & n3.f) && w3(n3)) try {
        n3.c();
      } catch (n4) {
        if (!i4) {
          t4 = n4;
          i4 = true;
        }
      }
      n3 = o4;
    }
  }
  c3 = 0;
  e3--;
  if (i4) throw t4;
}
function n2(t4) {
  if (e3 > 0) return t4();
  d2 = ++u3;
  e3++;
  try {
    return t4();
  } finally {
    i3();
  }
}
var o3;
var s3;
var r3;
function f3(t4) {
  const i4 = o3, n3 = s3;
  o3 = void 0;
  s3 = void 0;
  try {
    return t4();
  } finally {
    o3 = i4;
    s3 = n3;
  }
}
var h2;
var e3 = 0;
var c3 = 0;
var u3 = 0;
var d2 = 0;
var v3 = 0;
function l3(t4) {
  if (void 0 === o3) return;
  let i4 = t4.n;
  if (void 0 === i4 || i4.t !== o3) {
    i4 = { i: 0, S: t4, p: o3.s, n: void 0, t: o3, e: void 0, x: void 0, r: i4 };
    if (void 0 !== o3.s) o3.s.n = i4;
    o3.s = i4;
    t4.n = i4;
    if (32 & o3.f) t4.S(i4);
    return i4;
  } else if (-1 === i4.i) {
    i4.i = 0;
    if (void 0 !== i4.n) {
      i4.n.p = i4.p;
      if (void 0 !== i4.p) i4.p.n = i4.n;
      i4.p = o3.s;
      i4.n = void 0;
      o3.s.n = i4;
      o3.s = i4;
    }
    return i4;
  }
}
function y2(t4, i4) {
  this.v = t4;
  this.i = 0;
  this.n = void 0;
  this.t = void 0;
  this.l = 0;
  this.W = null == i4 ? void 0 : i4.watched;
  this.Z = null == i4 ? void 0 : i4.unwatched;
  this.name = null == i4 ? void 0 : i4.name;
}
y2.prototype.brand = t3;
y2.prototype.h = function() {
  return true;
};
y2.prototype.S = function(t4) {
  const i4 = this.t;
  if (i4 !== t4 && void 0 === t4.e) {
    t4.x = i4;
    this.t = t4;
    if (void 0 !== i4) i4.e = t4;
    else f3(() => {
      var t5;
      null == (t5 = this.W) || t5.call(this);
    });
  }
};
y2.prototype.U = function(t4) {
  if (void 0 !== this.t) {
    const i4 = t4.e, n3 = t4.x;
    if (void 0 !== i4) {
      i4.x = n3;
      t4.e = void 0;
    }
    if (void 0 !== n3) {
      n3.e = i4;
      t4.x = void 0;
    }
    if (t4 === this.t) {
      this.t = n3;
      if (void 0 === n3) f3(() => {
        var t5;
        null == (t5 = this.Z) || t5.call(this);
      });
    }
  }
};
y2.prototype.subscribe = function(t4) {
  return x2(() => {
    const i4 = this.value;
    f3(() => t4(i4));
  }, { name: "sub" });
};
y2.prototype.valueOf = function() {
  return this.value;
};
y2.prototype.toString = function() {
  return this.value + "";
};
y2.prototype.toJSON = function() {
  return this.value;
};
y2.prototype.peek = function() {
  return f3(() => this.value);
};
Object.defineProperty(y2.prototype, "value", { get() {
  const t4 = l3(this);
  if (void 0 !== t4) t4.i = this.i;
  return this.v;
}, set(t4) {
  if (t4 !== this.v) {
    if (c3 > 100) throw new Error("Cycle detected");
    !(function(t5) {
      if (0 !== e3 && 0 === c3) {
        if (t5.l !== d2) {
          t5.l = d2;
          h2 = { S: t5, v: t5.v, i: t5.i, o: h2 };
        }
      }
    })(this);
    this.v = t4;
    this.i++;
    v3++;
    e3++;
    try {
      for (let t5 = this.t; void 0 !== t5; t5 = t5.x) t5.t.N();
    } finally {
      i3();
    }
  }
} });
function a3(t4, i4) {
  return new y2(t4, i4);
}
function w3(t4) {
  for (let i4 = t4.s; void 0 !== i4; i4 = i4.n) if (i4.S.i !== i4.i || !i4.S.h() || i4.S.i !== i4.i) return true;
  return false;
}
function b2(t4) {
  for (let i4 = t4.s; void 0 !== i4; i4 = i4.n) {
    const n3 = i4.S.n;
    if (void 0 !== n3) i4.r = n3;
    i4.S.n = i4;
    i4.i = -1;
    if (void 0 === i4.n) {
      t4.s = i4;
      break;
    }
  }
}
function _2(t4) {
  let i4, n3 = t4.s;
  while (void 0 !== n3) {
    const t5 = n3.p;
    if (-1 === n3.i) {
      n3.S.U(n3);
      if (void 0 !== t5) t5.n = n3.n;
      if (void 0 !== n3.n) n3.n.p = t5;
    } else i4 = n3;
    n3.S.n = n3.r;
    if (void 0 !== n3.r) n3.r = void 0;
    n3 = t5;
  }
  t4.s = i4;
}
function j3(t4, i4) {
  y2.call(this, void 0, i4);
  this.x = t4;
  this.s = void 0;
  this.g = v3 - 1;
  this.f = 4;
}
j3.prototype = new y2();
j3.prototype.h = function() {
  this.f &= -3;
  if (1 & this.f) return false;
  if (32 == (36 & this.f)) return true;
  this.f &= -5;
  if (this.g === v3) return true;
  this.g = v3;
  this.f |= 1;
  if (this.i > 0 && !w3(this)) {
    this.f &= -2;
    return true;
  }
  const t4 = o3;
  try {
    b2(this);
    o3 = this;
    const t5 = this.x();
    if (16 & this.f || this.v !== t5 || 0 === this.i) {
      this.v = t5;
      this.f &= -17;
      this.i++;
    }
  } catch (t5) {
    this.v = t5;
    this.f |= 16;
    this.i++;
  }
  o3 = t4;
  _2(this);
  this.f &= -2;
  return true;
};
j3.prototype.S = function(t4) {
  if (void 0 === this.t) {
    this.f |= 36;
    for (let t5 = this.s; void 0 !== t5; t5 = t5.n) t5.S.S(t5);
  }
  y2.prototype.S.call(this, t4);
};
j3.prototype.U = function(t4) {
  if (void 0 !== this.t) {
    y2.prototype.U.call(this, t4);
    if (void 0 === this.t) {
      this.f &= -33;
      for (let t5 = this.s; void 0 !== t5; t5 = t5.n) t5.S.U(t5);
    }
  }
};
j3.prototype.N = function() {
  if (!(2 & this.f)) {
    this.f |= 6;
    for (let t4 = this.t; void 0 !== t4; t4 = t4.x) t4.t.N();
  }
};
Object.defineProperty(j3.prototype, "value", { get() {
  if (1 & this.f) throw new Error("Cycle detected");
  const t4 = l3(this);
  this.h();
  if (void 0 !== t4) t4.i = this.i;
  if (16 & this.f) throw this.v;
  return this.v;
} });
function O2(t4, i4) {
  return new j3(t4, i4);
}
function p3(t4) {
  const n3 = t4.j;
  t4.j = void 0;
  if ("function" == typeof n3) {
    e3++;
    const s4 = o3;
    o3 = void 0;
    try {
      n3();
    } catch (i4) {
      t4.f &= -2;
      t4.f |= 8;
      g2(t4);
      throw i4;
    } finally {
      o3 = s4;
      i3();
    }
  }
}
function g2(t4) {
  for (let i4 = t4.s; void 0 !== i4; i4 = i4.n) i4.S.U(i4);
  t4.x = void 0;
  t4.s = void 0;
  p3(t4);
}
function S2(t4) {
  if (o3 !== this) throw new Error("Out-of-order effect");
  _2(this);
  o3 = t4;
  this.f &= -2;
  try {
    if (8 & this.f) g2(this);
  } finally {
    i3();
  }
}
function m3(t4, i4) {
  this.x = t4;
  this.j = void 0;
  this.s = void 0;
  this.u = void 0;
  this.f = 32;
  this.name = null == i4 ? void 0 : i4.name;
  if (s3) s3.push(this);
}
m3.prototype.c = function() {
  const t4 = this.S();
  try {
    if (8 & this.f) return;
    if (void 0 === this.x) return;
    const i4 = this.x();
    if ("function" == typeof i4) this.j = i4;
  } finally {
    t4();
  }
};
m3.prototype.S = function() {
  if (1 & this.f) throw new Error("Cycle detected");
  this.f |= 1;
  this.f &= -9;
  p3(this);
  b2(this);
  e3++;
  const t4 = o3;
  o3 = this;
  return S2.bind(this, t4);
};
m3.prototype.N = function() {
  if (!(2 & this.f)) {
    this.f |= 2;
    this.u = r3;
    r3 = this;
  }
};
m3.prototype.d = function() {
  this.f |= 8;
  if (!(1 & this.f)) g2(this);
};
m3.prototype.dispose = function() {
  this.d();
};
function x2(t4, i4) {
  const n3 = new m3(t4, i4);
  try {
    n3.c();
  } catch (t5) {
    n3.d();
    throw t5;
  }
  const o4 = n3.d.bind(n3);
  o4[Symbol.dispose] = o4;
  return o4;
}

// node_modules/@preact/signals/dist/signals.mjs
var d3 = "undefined" != typeof window && !!window.__PREACT_SIGNALS_DEVTOOLS__;
var p4;
var m4;
var v4;
var g3 = [];
x2(function() {
  p4 = this.N;
})();
function b3(t4, i4) {
  l[t4] = i4.bind(null, l[t4] || (() => {
  }));
}
function y3(t4) {
  if (v4) {
    const t5 = v4;
    v4 = void 0;
    t5();
  }
  v4 = t4 && t4.S();
}
function w4({ data: t4 }) {
  const i4 = useSignal(t4);
  i4.name = "ReactiveDom";
  i4.value = t4;
  const [n3, e4] = T2(() => {
    let t5 = this, n4 = this.__v;
    while (n4 = n4.__) if (n4.__c) {
      n4.__c.__$f |= 4;
      break;
    }
    const e5 = O2(() => {
      let t6 = i4.value.value;
      return 0 === t6 ? 0 : true === t6 ? "" : t6 || "";
    }), f4 = O2(() => !Array.isArray(e5.value) && !t(e5.value)), r4 = x2(function() {
      this.N = M;
      if (f4.value) {
        const i5 = e5.value;
        if (t5.__v && t5.__v.__e && 3 === t5.__v.__e.nodeType) t5.__v.__e.data = i5;
      }
    }), u4 = this.__$u.d;
    this.__$u.d = function() {
      r4();
      u4.call(this);
    };
    return [f4, e5];
  }, []);
  return n3.value ? e4.peek() : e4.value;
}
w4.displayName = "ReactiveTextNode";
Object.defineProperties(y2.prototype, { constructor: { configurable: true, value: k(S, null).constructor }, type: { configurable: true, value: w4 }, props: { configurable: true, get() {
  const t4 = this;
  return { data: { get value() {
    return t4.value;
  } } };
} }, __b: { configurable: true, value: 1 } });
b3("__b", (t4, i4) => {
  y3();
  m4 = void 0;
  if ("string" == typeof i4.type) {
    let t5, n3 = i4.props;
    for (let e4 in n3) {
      if ("children" === e4) continue;
      let o4 = n3[e4];
      if (o4 instanceof y2) {
        if (!t5) i4.__np = t5 = {};
        t5[e4] = o4;
        n3[e4] = o4.peek();
      }
    }
  }
  t4(i4);
});
b3("__r", (t4, n3) => {
  t4(n3);
  if (n3.type !== S) {
    y3();
    let t5, i4 = n3.__c;
    if (i4) {
      i4.__$f &= -2;
      t5 = i4.__$u;
      if (void 0 === t5) i4.__$u = t5 = (function(t6, i5) {
        let n4;
        x2(function() {
          n4 = this;
        }, { name: i5 });
        n4.c = t6;
        return n4;
      })(/* @__PURE__ */ (function(t6) {
        return function() {
          var i5;
          if (d3) null == (i5 = this.y) || i5.call(this);
          t6.__$f |= 1;
          t6.setState({});
        };
      })(i4), "function" == typeof n3.type ? n3.type.displayName || n3.type.name : "");
    }
    m4 = i4;
    y3(t5);
  }
});
b3("__e", (t4, i4, n3, e4) => {
  y3();
  m4 = void 0;
  t4(i4, n3, e4);
});
b3("diffed", (t4, i4) => {
  y3();
  m4 = void 0;
  let n3;
  if ("string" == typeof i4.type && (n3 = i4.__e)) {
    let t5 = i4.__np, e4 = i4.props, o4 = n3.U;
    if (o4) for (let i5 in o4) {
      let n4 = o4[i5];
      if (!(void 0 === n4 || t5 && i5 in t5)) {
        n4.d();
        o4[i5] = void 0;
      }
    }
    if (t5) {
      if (!o4) {
        o4 = {};
        n3.U = o4;
      }
      for (let i5 in t5) {
        let f4 = o4[i5], r4 = t5[i5];
        if (void 0 === f4) {
          f4 = k4(n3, i5, r4, e4);
          o4[i5] = f4;
        } else f4.o(r4, e4);
      }
    }
  }
  t4(i4);
});
function k4(t4, i4, n3, e4) {
  const o4 = i4 in t4 && void 0 === t4.ownerSVGElement, f4 = a3(n3);
  return { o: (t5, i5) => {
    f4.value = t5;
    e4 = i5;
  }, d: x2(function() {
    this.N = M;
    const n4 = f4.value.value;
    if (e4[i4] !== n4) {
      e4[i4] = n4;
      if (o4) t4[i4] = n4;
      else if (null != n4 && (false !== n4 || "-" === i4[4])) t4.setAttribute(i4, n4);
      else t4.removeAttribute(i4);
    }
  }) };
}
b3("unmount", (t4, i4) => {
  if ("string" == typeof i4.type) {
    let t5 = i4.__e;
    if (t5) {
      const i5 = t5.U;
      if (i5) {
        t5.U = void 0;
        for (let t6 in i5) {
          let n4 = i5[t6];
          if (n4) n4.d();
        }
      }
    }
    let n3 = i4.__np;
    if (n3) {
      let t6 = i4.props;
      for (let i5 in n3) t6[i5] = n3[i5];
    }
    i4.__np = void 0;
  } else {
    let t5 = i4.__c;
    if (t5) {
      t5.__$f |= 8;
      const i5 = t5.__$u;
      if (i5) {
        t5.__$u = void 0;
        i5.d();
      }
    }
  }
  t4(i4);
});
b3("__h", (t4, i4, n3, e4) => {
  if (e4 < 3) i4.__$f |= 2;
  t4(i4, n3, e4);
});
C.prototype.shouldComponentUpdate = function(t4, i4) {
  if (this.__R) return true;
  const n3 = this.__$u, e4 = n3 && void 0 !== n3.s;
  for (let t5 in i4) return true;
  if (this.__f || "boolean" == typeof this.u && true === this.u) {
    const t5 = 2 & this.__$f;
    if (!(e4 || t5 || 4 & this.__$f)) return true;
    if (1 & this.__$f) return true;
  } else {
    if (!(e4 || 4 & this.__$f)) return true;
    if (3 & this.__$f) return true;
  }
  for (let i5 in t4) if ("__source" !== i5 && t4[i5] !== this.props[i5]) return true;
  for (let i5 in this.props) if (!(i5 in t4)) return true;
  return false;
};
function useSignal(t4, i4) {
  return T2(() => a3(t4, i4), []);
}
var A3 = (t4) => {
  queueMicrotask(() => {
    queueMicrotask(t4);
  });
};
function F() {
  n2(() => {
    let t4;
    while (t4 = g3.shift()) p4.call(t4);
  });
}
function M() {
  if (1 === g3.push(this)) (l.requestAnimationFrame || A3)(F);
}

// src/route.ts
var DEFAULT = "-";
function parse(hash) {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [namespace, job2, , other] = path.split("/").filter(Boolean).map(decodeURIComponent);
  return {
    namespace: namespace === void 0 || namespace === DEFAULT ? void 0 : namespace,
    ...job2 === void 0 ? {} : { job: job2 },
    ...other === void 0 ? {} : { other },
    query: new URLSearchParams(query)
  };
}
function address(namespace, job2, other, query) {
  const parts = [namespace ?? DEFAULT, ...job2 === void 0 ? [] : [job2]];
  if (other !== void 0) parts.push("with", other);
  const more = query?.toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${more ? `?${more}` : ""}`;
}
var route = a3(parse(""));

// src/timeline.ts
var likelihood = (decision2) => decision2.margin === void 0 ? void 0 : 1 / (1 + Math.exp(-decision2.margin));
var moment = (decision2) => decision2.kind === "found-again" !== decision2.backwards ? decision2.end_sec : decision2.begin_sec;
function stretches(log2) {
  const marks = /* @__PURE__ */ new Set([log2.begin_sec, log2.end_sec]);
  const told = log2.decisions.map((decision2) => ({
    decision: decision2,
    kind: decision2.kind === "lost" ? "lost" : "guessed",
    begin: Math.max(log2.begin_sec, Math.min(decision2.begin_sec, log2.end_sec)),
    end: Math.max(log2.begin_sec, Math.min(decision2.end_sec, log2.end_sec))
  }));
  for (const one of told) marks.add(one.begin).add(one.end);
  const times = [...marks].sort((a4, b4) => a4 - b4);
  const found = [];
  for (const [index, begin] of times.slice(0, -1).entries()) {
    const end = times[index + 1];
    const over = told.filter((one) => one.begin <= begin && end <= one.end);
    const which = over.find((one) => one.kind === "lost") ?? over[0];
    const last = found.at(-1);
    if (last !== void 0 && last.decision === which?.decision) last.end = end;
    else found.push({ begin, end, kind: which?.kind ?? "supported", ...which ? { decision: which.decision } : {} });
  }
  return found;
}
function totals(all) {
  const sums = { supported: 0, guessed: 0, lost: 0 };
  for (const one of all) sums[one.kind] += one.end - one.begin;
  return sums;
}
var CLIP_SEC = 30;
function clipRange(log2, length) {
  const latest = Math.max(log2.begin_sec, log2.end_sec - CLIP_SEC);
  const begin = Math.min(Math.max(log2.confirmed_sec - CLIP_SEC / 3, log2.begin_sec), latest);
  return { begin, end: begin + length };
}

// src/catalogue.json
var catalogue_default = {
  iouThreshold: 0.2,
  codes: {
    ACTIVE_DEADLINE_EXCEEDED: [
      "The attempt ran longer than `activeDeadlineSeconds`.",
      "Analyse a shorter range, or raise the deadline in a new job."
    ],
    ALREADY_EXISTS: [
      "A ScoringJob of that name exists.",
      "Choose another id, or read the job that exists."
    ],
    ARTIFACT_LOST: [
      "The analysis made this file, but it could not be stored, or the store has lost it.",
      "The result stands without it. Create a new job from the same video to have the file made again."
    ],
    CLUSTER_UNAVAILABLE: [
      "Kubernetes does not answer; try again.",
      "Repeat later (the header `Retry-After` says when, if Kubernetes said so); a write may have been done, so read first."
    ],
    CONFLICT: [
      "The job changed meanwhile; read it and try again.",
      "Read the job again, look at what changed, and repeat."
    ],
    CREATE_REFUSED: [
      "The cluster refuses the attempt's Job or pod for good.",
      "The message says which policy or rule refuses; the platform team changes it or the runtime."
    ],
    DISRUPTED_TOO_OFTEN: [
      "The cluster took the job's pod away again and again: evicted, preempted, drained.",
      "Read why in the message: more memory or disk in the runtime's resources, or a higher priority."
    ],
    EXPIRED: [
      "The `continue` token is too old to go on with the same list.",
      "Start the list again without `continue`."
    ],
    FORBIDDEN: [
      "Kubernetes' access rules do not allow this to the caller.",
      "Ask the platform team for a role in that namespace; `kubectl auth can-i` shows what is missing."
    ],
    FRAME_NOT_FOUND: [
      "The preview has no such frame.",
      "Take a `frame_key` (or a time near a frame) from the job's preview."
    ],
    IDEMPOTENCY_MISMATCH: [
      "The Idempotency-Key was used before with another body; nothing was created.",
      "Use a new key for a new request, and repeat a request exactly."
    ],
    IMAGE_PULL_FAILED: [
      "The pod's image cannot be pulled.",
      "Check the runtime's `image` and the pull secrets; the message has the registry's words."
    ],
    INTERNAL: [
      "The program failed; its log says more.",
      "Repeat later; if it stays, give the log of the API to its maintainers."
    ],
    INVALID: [
      "A field has a value that is not allowed; `field` names it.",
      "Correct the field that `field` names; `problems` lists all of them where there are several."
    ],
    JOB_FINISHED: [
      "The job has ended; create a new one.",
      "Create a new job from the same video."
    ],
    JOB_NOT_FOUND: [
      "There is no such ScoringJob, or the caller may not see it.",
      "Check the id and `?namespace=`; the job may have been deleted."
    ],
    JOB_RUNNING: [
      "The selection is frozen while an attempt runs; pause the job first.",
      "Pause the job, change the selection, enqueue again: a new attempt starts."
    ],
    MANAGED_BY_IMMUTABLE: [
      "spec.managedBy never changes; create a new job.",
      "Create a new job that names its controller from the beginning."
    ],
    METHOD_NOT_ALLOWED: [
      "That address does not take this method.",
      "Use a method of the header `Allow`."
    ],
    NOT_FOUND: [
      "There is no such thing.",
      "Check the address; what the job does not have yet may come later (the message says which)."
    ],
    NOT_READY: [
      "The job lacks a selection that an analysis needs; `missing` names it.",
      "Pick a player, confirm the target, then enqueue."
    ],
    NO_RESULT: [
      "The worker ended without a result.",
      "It is retried; then look at the node and the pod's events."
    ],
    OUT_OF_MEMORY: [
      "The worker ran out of memory.",
      "It is retried smaller; then raise the runtime's memory, or set `spec.analysis.maxFps`."
    ],
    PITCH_CUT: [
      "A warning of the result: there are no metres behind a cut, because no moment of `spec.pitch` lies in that shot.",
      "Give each shot a moment of its own in a new job."
    ],
    PITCH_INCOHERENT: [
      "The points of `spec.pitch` cannot belong to one pitch: mirrored, on one line, or more than 3 m apart from what any camera sees.",
      "Click the point that the message names again, or leave it out; four points are needed of which no three are on a line."
    ],
    PITCH_LANDMARK: [
      "`spec.pitch` names a landmark that a pitch of that format has not.",
      "Choose another landmark, or the right `format`; 9- and 7-a-side pitches have no goal areas and no penalty arcs."
    ],
    PITCH_MOMENT_OUTSIDE: [
      "A moment of `spec.pitch` is not in the analysed part of the video.",
      "Choose a moment inside of `spec.analysis` and of the video."
    ],
    PITCH_UNSEEN: [
      "A warning of the result: no grass is seen around the confirmed person, so it may be another sport.",
      "Confirm him on a frame that shows the pitch; on snow, sand or a hall's floor, read the scores with care."
    ],
    PITCH_UNSUPPORTED: [
      "A warning of the result: the camera could not be carried far enough from the moments of `spec.pitch`, so the score rests on the picture alone.",
      "Give more moments, not more than a minute apart, on frames that show many lines."
    ],
    POD_CONFIG_INVALID: [
      "The pod cannot be started as it is configured.",
      "The message has the node's own words: a missing secret, volume or program."
    ],
    PRECONDITION_FAILED: [
      "The job is not the version that `If-Match` names.",
      "Read the job, look at what changed, and repeat with its new ETag."
    ],
    PREVIEW_NOT_READY: [
      "The preview is not there yet; wait for condition PreviewReady.",
      "Follow the job's events, or `kubectl wait --for=condition=PreviewReady`, then repeat."
    ],
    QUOTA_EXCEEDED: [
      "The namespace's quota has no room for the attempt; it waits.",
      "Wait for other jobs to end, or ask for more quota."
    ],
    RANGE_INVALID: [
      "The file has no such range of bytes.",
      "Ask for a range within the file's length, or for all of it."
    ],
    RUNTIME_FORBIDDEN: [
      "The ScoringRuntime does not allow this namespace; the job waits.",
      "Use another runtime, or ask for the namespace in its `allowedNamespaces`."
    ],
    RUNTIME_NOT_FOUND: [
      "There is no such ScoringRuntime, or no default one; the job waits.",
      "`kubectl get scoringruntimes`; name one in `spec.runtimeName`."
    ],
    SOURCE_DENIED: [
      "The runtime does not allow videos from there.",
      "Upload the video through the API, or ask for the prefix in the runtime's `sources`."
    ],
    SOURCE_NOT_FOUND: [
      "There is no video at that address.",
      "Check `spec.video.uri`; upload the video first."
    ],
    SOURCE_TOO_SLOW: [
      "The download took longer than allowed.",
      "It is retried; bring the video nearer, or raise `videoLimits.download_seconds` of the runtime."
    ],
    SOURCE_UNAVAILABLE: [
      "The video's address does not answer.",
      "It is retried; check that the address answers from inside the cluster."
    ],
    START_DEADLINE_EXCEEDED: [
      "No pod of the attempt ran before `startDeadlineSeconds`.",
      "The message has the pod's own reason: the image, the node's resources, or the queue."
    ],
    STORE_UNAVAILABLE: [
      "The object store does not answer; try again.",
      "Repeat later; if it stays, look at the store's pod and volume."
    ],
    TARGET_EMPTY: [
      "A warning of the result: no person is in the confirmed box, so nobody was scored.",
      "Confirm a box around a person in a new job; one from the preview is a safe choice."
    ],
    TARGET_LARGE: [
      "A warning of the result: the confirmed person fills the picture, so little around him is seen.",
      "Confirm him on a wider picture."
    ],
    TARGET_MISMATCH: [
      "The confirmed box does not belong to the picked player on that frame.",
      "Draw the box around the picked player, pick the player whose box it is, or repeat with `force` if the box is right."
    ],
    TARGET_PARTIAL: [
      "A warning of the result: the confirmed box holds only a part of a person.",
      "Confirm a box around the whole person in a new job."
    ],
    TARGET_SHARED: [
      "A warning of the result: the confirmed box holds several people; one of them was followed.",
      "Confirm a box around one person, on a frame on which he stands apart, in a new job."
    ],
    TARGET_SMALL: [
      "A warning of the result: the confirmed person is too small in the picture to be told from others.",
      "Use a video of a higher resolution, or confirm him where the camera is nearer."
    ],
    TASK_UNREADABLE: [
      "The worker's image cannot read what the operator tells it: they are more than one release apart.",
      "Give the runtime an `image` of the operator's release, or of one beside it; then create a new job."
    ],
    TEMPLATE_FORBIDDEN: [
      "A ScoringRuntime's `template` has a field that is not on its list; the words name it.",
      "Leave it out; `kubectl explain scoringruntime.spec.template` and docs/runtimes.md have the list."
    ],
    TEMPLATE_RESERVED: [
      "A ScoringRuntime's `template` sets a label, annotation or variable that is the operator's or the worker's own.",
      "Choose another name."
    ],
    TOO_LARGE: [
      "The body is larger than allowed.",
      "Send less; the message says how much is taken."
    ],
    TOO_MANY_REQUESTS: [
      "Slow down and try again.",
      "Wait as long as the header `Retry-After` says, then repeat."
    ],
    TOO_SLOW: [
      "The body did not arrive in time.",
      "Repeat; send less where the line is slow."
    ],
    TRACK_NOT_FOUND: [
      "The frame has no such track.",
      "Take a `track_id` that the preview lists on that frame."
    ],
    UNAUTHENTICATED: [
      "No valid bearer token came with the request.",
      "Send `Authorization: Bearer <token>` with a token that this cluster accepts and that has not expired."
    ],
    UNSUPPORTED_MEDIA_TYPE: [
      "The body's Content-Type is not one that this address takes.",
      "Send `Content-Type: application/json`."
    ],
    UPLOAD_INCOMPLETE: [
      "Parts of the upload are missing; `missing` names them.",
      "GET the upload's address for requests that send the missing parts, send them, complete it again."
    ],
    VIDEO_CHANGED: [
      "The video's sha256 differs from the one the preview pinned.",
      "Keep the file at its address unchanged, or create a new job for the new file."
    ],
    VIDEO_DECODE_CRASH: [
      "The decoder crashed on this video.",
      "Transcode the video; report the file if it is an ordinary one."
    ],
    VIDEO_DECODE_FAILED: [
      "The video cannot be decoded.",
      "Play it from start to end; transcode it if it is damaged."
    ],
    VIDEO_DECODE_TIMEOUT: [
      "The decoder made no progress on this video.",
      "Transcode the video; report the file if it is an ordinary one."
    ],
    VIDEO_EMPTY: [
      "The file is empty.",
      "Upload the video again and create a new job."
    ],
    VIDEO_IMMUTABLE: [
      "spec.video never changes; create a new job.",
      "Create a new job with the other video."
    ],
    VIDEO_NOT_A_VIDEO: [
      "The file is not a video of an allowed kind.",
      "Use a file that plays and has a video track; docs/videos.md lists the kinds."
    ],
    VIDEO_NO_PERSON: [
      "No person was found in the previewed part of the video.",
      "Move the previewed part with `spec.preview.startSec` and `endSec` in a new job."
    ],
    VIDEO_RANGE_EMPTY: [
      "The requested time range holds no frame of the video.",
      "Choose a range within the video's duration (`status.preview.video.duration_sec`)."
    ],
    VIDEO_TOO_LARGE: [
      "The video exceeds a limit on bytes, pixels or duration.",
      "Cut or scale the video, or ask for a runtime with wider `videoLimits`."
    ],
    VIDEO_TRACK_NOT_FOUND: [
      "The file has no picture track with that number.",
      "Leave `spec.video.track` out for the largest, or name one that the message counts, from 1."
    ],
    VIDEO_TRUNCATED: [
      "The file was cut off: it lacks its index, or not even its first picture is whole.",
      "Upload the whole file again and create a new job."
    ],
    VIDEO_UNSUPPORTED: [
      "The container or codec is not on the allow-list.",
      "Convert it: `ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -c:a aac OUT.mp4`; docs/videos.md says more."
    ],
    WORKER_FAILED: [
      "The worker failed; its last words are in the message.",
      "It is retried; then read the message and the pod's log."
    ]
  },
  radar: {
    tracking_quality: "How much of his time in the picture the followed person is the chosen one, as far as the signals tell.",
    activity_proxy: "How much he moved: metres a minute on a calibrated pitch, else body heights a second, camera motion out.",
    visibility: "Share of the time in which he was seen, and is he with fair certainty.",
    consistency: "Same colours and plausible, smooth motion all along.",
    stability: "Few losses and a steady box, on supported frames only."
  },
  signals: {
    analysed_sec: "Length of the analysed part of the video, seconds.",
    sampled_frames: "Number of frames that the follower looked at.",
    supported_share: "Share of sampled frames in which a detection supported the player's box (coverage).",
    certain_sec: "",
    uncertain_sec: "",
    lost_sec: "",
    away_sec: "",
    certainty: "",
    encounters: "",
    doubtful_encounters: "",
    lost_segments: "How often the player was lost.",
    lost_segments_per_min: "Lost segments for each minute analysed.",
    jersey_similarity: "Mean similarity of the torso colours with those at the confirmed box.",
    path_agreement: "Share of supported frames where following backwards found the same place.",
    implausible_motion_share: "Share of steps faster than a person can move, camera motion taken out.",
    speed_mean_h_per_sec: "Mean camera-compensated speed, body heights per second.",
    acceleration_p95_h_per_sec2: "95th percentile of the camera-compensated acceleration, body heights per second squared.",
    height_jitter: "Median relative change of the box height between neighbouring supported frames."
  }
};

// src/texts.ts
var codes = catalogue_default.codes;
var signalMeanings = catalogue_default.signals;
var axisMeanings = catalogue_default.radar;
var IOU_THRESHOLD = catalogue_default.iouThreshold;
var texts = {
  title: "playerscore",
  skip: "Skip to the page",
  signIn: {
    title: "Sign in",
    lead: "With a token of the cluster. It stays in this page's memory until the page is closed.",
    token: "Token",
    tokenHelp: "kubectl scoring console opens this page signed in; kubectl create token ACCOUNT makes a token.",
    go: "Sign in",
    asking: "Looking who is there \u2026",
    refused: "That token is not accepted: it may be mistyped, or expired.",
    expired: "Your sign-in has run out",
    expiredLead: "Sign in again. Nothing on this page is lost, and it goes on where it was.",
    unreachable: "The API does not answer. This page tries again by itself.",
    reload: "Let the proxy sign me in again",
    out: "Sign out",
    proxied: "signed in by the proxy"
  },
  connection: { live: "live", broken: "Connection lost. Trying again \u2026", mended: "Connected again" },
  namespace: "Namespace",
  namespaceDefault: "the default one",
  namespaceGo: "Go",
  steps: {
    EXTRACTING_PREVIEW: "making the preview",
    WAITING_FOR_PLAYER: "pick a player",
    WAITING_FOR_TARGET_CONFIRMATION: "confirm where he is",
    READY_TO_ENQUEUE: "ready to start",
    QUEUED: "waiting in line",
    ANALYZING: "analysing",
    COMPLETED: "done",
    FAILED: "failed"
  },
  road: ["Preview", "Player", "Confirmation", "Analysis", "Result"],
  roadLabel: "How far this job is",
  jobs: {
    title: "Jobs",
    filters: "Filters",
    anyStep: "any step",
    step: "Step",
    player: "Player",
    playerOrName: "Player or name",
    minScore: "Least score",
    clear: "Show all",
    id: "Job",
    score: "Score",
    caption: (shown, all) => shown === all ? `${all} jobs` : `${shown} of ${all} jobs`,
    more: "Only the first 1000 jobs are shown; filter to see others.",
    none: "There is no job here yet. Drop a match video above, and the first one begins.",
    noneMatches: "No job matches the filters.",
    select: (id) => `Compare ${id}`,
    compare: "Compare the two chosen jobs",
    compareHelp: "Choose two finished jobs to see them side by side.",
    track: (id) => `person ${id}`,
    loading: "Reading the jobs \u2026",
    sortBy: (what) => `Sort by ${what}`
  },
  upload: {
    title: "New job",
    drop: "Drop a match video here, or choose a file",
    choose: "Choose a video",
    id: "Name of the job",
    cancel: "Cancel",
    retry: "Try again",
    forget: "Forget it",
    open: "Open the job",
    of: (sent, all) => `${sent} of ${all}`,
    speed: (rate2) => `${rate2} per second`,
    left: (time) => `about ${time} left`,
    waiting: "Connection lost. It goes on by itself when it is back.",
    creating: "Uploaded. Creating the job \u2026",
    cancelQuestion: (name) => `Stop uploading ${name}? What has arrived is thrown away.`,
    unfinished: (name) => `${name} was not uploaded to its end. Choose the same file again, and it goes on where it was.`,
    stays: "You may look at other jobs meanwhile; only close the page when it is done.",
    uri: "Or the address of a video",
    uriHelp: "s3://\u2026 or https://\u2026, as the cluster reaches it",
    uriGo: "Create the job",
    notVideo: (name) => `${name} does not look like a video. It is uploaded anyway if you choose it again.`
  },
  job: {
    back: "All jobs",
    loading: "Reading the job \u2026",
    deleted: "This job was deleted.",
    pause: "Pause",
    resume: "Resume",
    delete: "Delete",
    deleteTitle: (id) => `Delete ${id}?`,
    deleteText: "The job, its preview and its result go for good, and what runs for it stops. The video stays for a while.",
    deleteGo: "Delete it",
    keep: "Keep it",
    pauseTitle: (id) => `Pause ${id}?`,
    pauseText: "What has been analysed so far is thrown away; resuming begins anew.",
    pauseGo: "Pause it",
    details: "In the cluster's own words",
    todo: "What to do: ",
    percent: (percent) => `${percent} % done`,
    left: (time) => `about ${time} left`,
    noEstimate: "An estimate follows when it has gone on for a while.",
    waiting: "Waiting",
    running: "Analysing",
    failed: "It failed",
    preview: "The preview is being made",
    previewLead: "Moments of the video are chosen and the people on them are found. This page goes on by itself.",
    conditions: "All conditions",
    condition: ["Condition", "Status", "Reason", "Message"]
  },
  pick: {
    title: "Who is it?",
    lead: "Choose a moment, then click the player. Arrow keys go from person to person, Enter picks.",
    strip: "Moments of the video",
    frame: (number, time, people) => `Moment ${number}, at ${time}, ${people === 1 ? "1 person" : `${people} people`}`,
    picture: (time) => `The picture at ${time}`,
    people: "People on this picture",
    person: (id, picked) => `Person ${id}${picked ? ", picked" : ""}`,
    loading: "Reading the preview \u2026",
    noPeople: "Nobody was found on this picture. Choose another moment, or draw a box.",
    zoom: "Zoom",
    larger: "Larger",
    smaller: "Smaller",
    picked: (id) => `You picked person ${id}`,
    nobody: "Nobody is picked yet",
    confirmTitle: "Is this him?",
    confirmLead: "Drag the box or its corners. With the keyboard, arrow keys move it, and with Shift they size it.",
    boxLabel: "The box around the player; arrow keys move it, with Shift they size it",
    draw: "Draw the box anew",
    drawing: "Drag from one corner of him to the other",
    reset: "Back to his box",
    iou: (value) => `Overlap with the picked player: ${value}`,
    iouGood: "Enough: it is his box.",
    iouBad: (least) => `Too little: ${least} is needed. Is it somebody else?`,
    iouNone: "Nothing to compare with on this picture: it will be taken as you say.",
    notHere: (id) => `Person ${id} was not found on this picture.`,
    start: "Confirm and start",
    confirm: "Only confirm",
    startConfirmed: "Start the analysis",
    confirmed: "Confirmed. Start when you like, or correct it before.",
    forced: "Confirmed on your word, although it is not the picked player's box.",
    starting: "Starting \u2026",
    mismatch: "That box is not the picked player's",
    mismatchText: (iou2, least) => `The box that you confirmed (dashed) and the player whom you picked (solid) overlap by ${iou2}; ${least} is needed. One of the two is probably somebody else.`,
    mismatchForce: "If the box is right and the picked one is badly drawn, you may insist. That is remembered for this box only, and said in the result.",
    mismatchUse: "Take the picked player's box",
    mismatchDraw: "Draw it again",
    mismatchGo: "Insist: this box is right",
    mismatchPicture: "Both boxes on the picture",
    frozen: "Whom it follows cannot be changed while it runs; pause it first.",
    who: "Whom it follows"
  },
  result: {
    title: "The result",
    score: "overall score of 100",
    radar: "The five axes",
    axes: {
      tracking_quality: "tracking quality",
      activity_proxy: "activity",
      visibility: "visibility",
      consistency: "consistency",
      stability: "stability"
    },
    meaning: "Meaning",
    value: "Value",
    axis: "Axis",
    signal: "Signal",
    signals: "What was measured",
    method: (name) => `Method: ${name}. It rates what was seen of him, not how well he played.`,
    forced: (iou2) => `Somebody insisted on this box (overlap ${iou2}).`,
    warnings: "Read this first",
    pictures: "Pictures",
    picture: { "result.png": "The chosen player and his radar", "decisions.jpg": "What was decided on his way" },
    downloads: "Downloads",
    download: "Download",
    file: "File",
    bytes: "Size",
    files: {
      "radar.png": "the radar as a picture",
      "result.png": "the player and his radar",
      "clip.webm": "the clip with his box",
      "track.txt": "his boxes, in MOT format",
      "decisions.json": "what was decided and why",
      "decisions.jpg": "pictures of what was decided"
    },
    lost: "The file was lost.",
    timeline: "Where it was sure, and where not",
    timelineLead: "Click the line, or use the arrow keys, to look at a moment.",
    clip: "The clip, with his box",
    cursor: "Moment",
    outside: "The clip does not show this moment.",
    kinds: { supported: "sure", guessed: "a guess", lost: "lost" },
    total: (kind, time) => `${kind}: ${time}`,
    confirmedAt: "confirmed here",
    moments: "Moments worth a look",
    when: "When",
    what: "What",
    sure: "How sure",
    go: (time) => `Look at ${time}`,
    decisions: {
      crossing: "somebody crossed him",
      lost: "he was lost",
      "found-again": "he was found again",
      declined: "too alike to tell: nobody was taken for him"
    },
    reasons: {
      "left-picture": "he left the picture",
      occluded: "he was hidden",
      "not-seen": "he was not seen",
      cut: "the picture was cut",
      ambiguous: "two were too alike",
      "target-empty": "nobody is in the confirmed box"
    },
    noMoments: "Nothing doubtful happened on his way.",
    compare: "Compare with another job",
    compareGo: "Compare",
    open: (id) => `Open ${id}`
  },
  compare: {
    title: (a4, b4) => `${a4} and ${b4}`,
    difference: "Difference",
    noResult: (id) => `${id} has no result yet.`,
    overall: "overall score"
  },
  errors: {
    network: "The API did not answer.",
    networkTodo: "Check the connection, then try again.",
    missing: (what) => `Missing: ${what}`,
    dismiss: "Close",
    retry: "Try again",
    unexpected: "Something went wrong in this page."
  },
  /** Reasons in CamelCase inform; those in capitals are codes. */
  reasons: {
    NotSeen: "It was just changed, and will be looked at in a moment.",
    Suspended: "It is paused, or was not started yet.",
    Queued: "It is in a queue, which lets it run when there is room.",
    Launched: "It was started; a place for it is being found.",
    PodPending: "It waits for a machine with enough room, or for its program to be fetched.",
    PodRunning: "It is being analysed.",
    PodRefused: "The cluster could not start it there. It is tried again after a while.",
    ServiceAway: "A part of this installation did not answer. It is tried again.",
    SuspendedElsewhere: "Somebody else holds it back.",
    StoppingOldAttempt: "The attempt before is being stopped.",
    Disrupted: "The cluster needed the machine. It begins again elsewhere.",
    NodeLost: "The machine that it runs on does not answer.",
    JobDeleted: "Its attempt was deleted by somebody; another one follows.",
    NamespaceNotPrepared: "This namespace is not prepared for jobs. The platform team has to do that.",
    PreviewRunning: "The preview is being made.",
    PreviewStored: "The preview is there.",
    PreviewDisabled: "No preview was asked for.",
    PreviewPending: "It will be judged when the preview is there.",
    Completed: "It is done.",
    ArtifactsLost: "It is done, but its files could not be stored.",
    Settled: "Nothing has to be done.",
    Working: "It is being worked on.",
    Coherent: "The box is the picked player's.",
    Forced: "The box is not the picked player's, and somebody insisted on it.",
    NotApplicable: "There was nothing to compare the box with.",
    NotSelected: "Player or box are not chosen yet.",
    Calibrated: "The clicked points fit a pitch, and metres were measured."
  }
};

// src/wanted.ts
function wanted(job2, query) {
  const [step, player, least] = [query.get("step"), query.get("player"), query.get("minScore")];
  if (step !== null && job2.progress.step !== step) return false;
  if (least !== null && (job2.result === null || job2.result.overallScore < Number(least))) return false;
  if (player === null) return true;
  const text = player.toLowerCase();
  const named = (job2.displayName ?? "").toLowerCase().includes(text) || job2.id.includes(text);
  return named || String(job2.player_ref?.track_id ?? "") === player;
}
var STEPS = Object.keys(texts.steps);
var place = {
  id: () => 0,
  player: (job2) => job2.player_ref?.track_id ?? Infinity,
  step: (job2) => STEPS.indexOf(job2.progress.step),
  score: (job2) => job2.result?.overallScore ?? -1
};
var names = new Intl.Collator("en", { numeric: true });
function sorted(jobs, query) {
  const column = query.get("sort") ?? "id";
  const by = place[column] ?? place.id;
  const down = query.get("down") === "1" ? -1 : 1;
  return jobs.sort((a4, b4) => {
    const [left, right] = [by(a4), by(b4)];
    return down * (left === right ? names.compare(a4.id, b4.id) : left < right ? -1 : 1);
  });
}

// src/why.ts
var of = (job2, type) => job2.conditions.find((one) => one.type === type);
function telling(job2) {
  const stalled = of(job2, "Stalled");
  if (stalled?.status === "True") return stalled;
  const reconciling = of(job2, "Reconciling");
  if (reconciling?.status === "True") return reconciling;
  switch (job2.progress.step) {
    case "EXTRACTING_PREVIEW":
      return of(job2, "PreviewReady");
    case "COMPLETED":
    case "FAILED":
      return of(job2, "Succeeded");
    case "QUEUED": {
      const [admitted, running] = [of(job2, "Admitted"), of(job2, "Running")];
      return admitted?.status === "True" ? running : admitted;
    }
    default:
      return of(job2, "Running");
  }
}
function why(job2) {
  const found = telling(job2);
  const code = found?.reason ?? "NotSeen";
  const known = codes[code];
  return {
    code,
    text: known?.[0] ?? texts.reasons[code] ?? code,
    todo: known?.[1] ?? "",
    detail: found?.message ?? ""
  };
}
var isPaused = (job2) => of(job2, "Admitted")?.reason === "Suspended";

// test/logic.ts
var job = (id, more = {}) => ({
  id,
  namespace: "scoring",
  displayName: null,
  player_ref: null,
  target: null,
  progress: { step: "QUEUED", percent: null, message: null },
  result: null,
  conditions: [],
  resourceVersion: "1",
  ...more
});
var condition = (type, status, reason, message = "") => ({ type, status, reason, message });
test("times and sizes read as people say them", () => {
  assert.deepEqual([0, 61.4, 3800, 3599.7].map((sec) => clock(sec)), ["0:00", "1:01", "1:03:20", "1:00:00"]);
  assert.deepEqual([59.96, 3.04].map((sec) => clock(sec, true)), ["1:00.0", "0:03.0"]);
  assert.deepEqual([12, 1500, 48211034].map(size), ["12 bytes", "1.50 KB", "48.2 MB"]);
  assert.deepEqual([0.2, 89, 120, 7200].map(about), ["1 s", "89 s", "2 min", "2.0 h"]);
});
test("a file's name becomes a name that Kubernetes and the API take", () => {
  const id = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  const file = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
  for (const name of ["Spiel 3 (K\xF6ln).MP4", "...", "\u65E5\u672C.mkv", `${"x".repeat(80)}-.mp4`, "a", "-_-", `${"\xE9".repeat(200)}.mp4`]) {
    assert.match(idOf(name), id, name);
    assert.match(safeName(name), file, name);
    assert.ok(safeName(name).length <= 128);
  }
  assert.equal(idOf("Spiel 3 (K\xF6ln).MP4"), "spiel-3-ko-ln");
});
test("overlap is intersection over union", () => {
  const a4 = { x: 0.2, y: 0.2, w: 0.2, h: 0.2 };
  assert.equal(iou(a4, a4), 1);
  assert.equal(iou(a4, { x: 0.4, y: 0.2, w: 0.2, h: 0.2 }), 0);
  assert.ok(Math.abs(iou(a4, { x: 0.3, y: 0.2, w: 0.2, h: 0.2 }) - 1 / 3) < 1e-12);
});
test("a box that is drawn stays in the picture and has an area", () => {
  assert.deepEqual(inside({ x: 0.9, y: -1, w: 0.5, h: 0.5 }), { x: 0.5, y: 0, w: 0.5, h: 0.5 });
  const drawn = between({ x: 0.6, y: 0.5 }, { x: 1.4, y: -0.2 });
  assert.deepEqual([drawn.x, drawn.y, drawn.h], [0.6, 0, 0.5]);
  assert.ok(drawn.x + drawn.w <= 1);
  assert.ok(between({ x: 1, y: 1 }, { x: 1, y: 1 }).w > 0);
});
test("arrow keys go to the next person in that direction", () => {
  const at = (track_id, x3, y4) => ({ track_id, bbox: { x: x3, y: y4, w: 0.05, h: 0.1 } });
  const all = [at(1, 0.1, 0.5), at(2, 0.3, 0.52), at(3, 0.5, 0.1), at(4, 0.6, 0.5)];
  assert.equal(neighbour(all[0].bbox, all, 1, 0)?.track_id, 2);
  assert.equal(neighbour(all[1].bbox, all, 1, 0)?.track_id, 4);
  assert.equal(neighbour(all[1].bbox, all, 0, -1)?.track_id, 3);
  assert.equal(neighbour(all[0].bbox, all, -1, 0), void 0);
});
test("an estimate follows the speed of the last minute", () => {
  let samples = [];
  assert.equal(remaining(samples, 0), void 0);
  for (const second of [0, 10, 20]) samples = noted(samples, { at: second * 1e3, share: second / 100 });
  assert.ok(Math.abs(rate(samples) - 0.01) < 1e-12);
  assert.equal(Math.round(remaining(samples, 2e4)), 80);
  assert.equal(Math.round(remaining(samples, 3e4)), 70);
  assert.deepEqual(noted(samples, { at: 4e4, share: 0.05 }), [{ at: 4e4, share: 0.05 }], "a new attempt begins anew");
  assert.equal(noted(samples, { at: 4e4, share: 0.2 }), samples, "the same share tells nothing");
});
var decision = (kind, begin_sec, end_sec, more = {}) => ({
  number: 1,
  kind,
  begin_sec,
  end_sec,
  backwards: false,
  pictured: false,
  ...more
});
var log = (decisions, more = {}) => ({
  version: 1,
  width: 1280,
  height: 720,
  begin_sec: 0,
  end_sec: 20,
  confirmed_sec: 8,
  confirmed: { x: 0, y: 0, w: 0.1, h: 0.1 },
  decisions,
  ...more
});
test("the timeline has no gaps, and lost wins over guessed", () => {
  const all = stretches(log([decision("crossing", 2, 6), decision("lost", 5, 9), decision("found-again", 9, 9)]));
  assert.deepEqual(
    all.map(({ kind, begin, end }) => [kind, begin, end]),
    [
      ["supported", 0, 2],
      ["guessed", 2, 5],
      ["lost", 5, 9],
      ["supported", 9, 20]
    ]
  );
  assert.deepEqual(totals(all), { supported: 13, guessed: 3, lost: 4 });
  assert.deepEqual(stretches(log([])).map((one) => one.kind), ["supported"]);
});
test("a decision's moment and likelihood are those of core/playerscore/decisions.py", () => {
  const times = [
    decision("lost", 2, 6),
    decision("found-again", 2, 6),
    decision("lost", 2, 6, { backwards: true }),
    decision("found-again", 2, 6, { backwards: true })
  ].map(moment);
  assert.deepEqual(times, [2, 6, 6, 2]);
  assert.equal(likelihood(decision("crossing", 0, 1, { margin: 0 })), 0.5);
  assert.equal(likelihood(decision("lost", 0, 1)), void 0);
});
test("the clip begins ten seconds before the confirmed frame, where the video allows it", () => {
  assert.equal(clipRange(log([]), 20).begin, 0);
  assert.equal(clipRange(log([], { end_sec: 100, confirmed_sec: 50 }), 30).begin, 40);
  assert.equal(clipRange(log([], { end_sec: 100, confirmed_sec: 95 }), 30).begin, 70);
});
test("addresses of pages go there and back", () => {
  for (const [namespace, id, other] of [[void 0], ["scoring"], ["scoring", "a.b-1"], ["scoring", "a", "b"]]) {
    const found = parse(address(namespace, id, other));
    assert.deepEqual([found.namespace, found.job, found.other], [namespace, id, other]);
  }
  assert.equal(parse(address("scoring", void 0, void 0, new URLSearchParams({ step: "QUEUED" }))).query.get("step"), "QUEUED");
  assert.equal(parse("").namespace, void 0);
});
test("filters are those of the API, and names sort as people count", () => {
  const radar = { result: { overallScore: 70 }, player_ref: { track_id: 7 }, displayName: "Final, No. 10" };
  const all = [job("job-10"), job("job-2", radar)];
  const ids = (query) => {
    const parameters = new URLSearchParams(query);
    return sorted(all.filter((one) => wanted(one, parameters)), parameters).map((one) => one.id);
  };
  assert.deepEqual(ids(""), ["job-2", "job-10"]);
  assert.deepEqual(ids("player=7"), ["job-2"]);
  assert.deepEqual(ids("player=no. 10"), ["job-2"]);
  assert.deepEqual(ids("minScore=0"), ["job-2"]);
  assert.deepEqual(ids("minScore=71"), []);
  assert.deepEqual(ids("step=COMPLETED"), []);
  assert.deepEqual(ids("sort=score&down=1"), ["job-2", "job-10"]);
});
test("why it waits is the condition that tells most", () => {
  const waits = job("a", {
    conditions: [condition("Admitted", "True", "Launched"), condition("Running", "False", "PodPending", "0/3 nodes")]
  });
  assert.match(why(waits).text, /machine with enough room/);
  assert.equal(why(waits).detail, "0/3 nodes");
  const queued = job("a", { conditions: [condition("Admitted", "False", "Queued"), condition("Running", "False", "Queued")] });
  assert.match(why(queued).text, /queue/);
  const stalled = job("a", { conditions: [condition("Stalled", "True", "TARGET_MISMATCH"), condition("Running", "False", "Suspended")] });
  assert.match(why(stalled).text, /does not belong/);
  assert.notEqual(why(stalled).todo, "");
  assert.match(why(job("a")).text, /looked at/);
  assert.equal(isPaused(job("a", { conditions: [condition("Admitted", "False", "Suspended")] })), true);
});
