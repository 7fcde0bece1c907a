"""The store in rows and lines that the widgets show; the words of every state come from `flashdeck.words`. Pure.

Every string that came from a device, a file or a client goes through `clean` on its way into a cell.
"""
