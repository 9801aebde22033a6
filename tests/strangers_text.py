"""Text as a stranger would choose it: each means something to Streamlit's Markdown, and must be shown as it is."""

from __future__ import annotations

STRANGERS_TEXTS = (
    *("**bold**", "*a* _b_ ~~c~~", "`code`", "# heading", "> quote", "- item", "1. item", "---", "    indented"),
    *("[link](http://stranger.example)", "![x](http://stranger.example/x.png)", "[x]: http://stranger.example"),
    *("http://stranger.example/a", "https://stranger.example", "www.stranger.example", "WWW.stranger.example"),
    *("a@stranger.example", "mailto:a@stranger.example", "<http://stranger.example>", "(http://stranger.example)"),
    *("<b>bold</b>", "&lt;b&gt;", "$x^2$", "$$x$$", "\\", "{x}", "|a|b|\n|-|-|\n|1|2|", "a\n===\nb", "[^1]"),
    *(":red[x]", ":red-background[x]", ":small[x]", ":material/home:", ":streamlit:", ":smile:", "a:+1:b"),
    *("a -> b <- c <-> d -- e >= f <= g ~= h", " at both ends ", "two\nlines", "frame_1.png", "Größe 图"),
)
ONE_TEXT = "](http://stranger.example) $x$ :red[x] :material/home: <b>x</b> ![](http://stranger.example) www.s.example"
