"""The edge: what every connection and request passes before pages or API see it.

``server`` sets what the HTTP server allows a connection, ``middleware`` lists what looks at each request.
"""
