"""The screen in a browser: `flashdeck serve`. Needs the extra 'web', and is the screen itself, not a second one.

What runs in the browser, a terminal in JavaScript, is textual-serve's; so is how it speaks. Its server is not used: it
answers whoever asks, starts the screen through a shell, keeps without bound what that says, and waits without end for
one that does not end. Here `door` says who may come in, `entrance` asks it before anything else sees a connection,
`server` has a page, its files and its screens, and `screen_process` is one screen.
"""
