"""A stand-in for the desktop application: the real module file and .ui run on it, offscreen, without 3D Slicer.

Real are MRML, markups, events, slice views, layout logic (slicer-core) and Qt's widgets (PySide6). Stand-ins are the
ctk, qMRML and qSlicer widgets, `slicer.app`, the scripted module base classes, the parameter node wrapper and the
translation function. A stand-in refuses every member that Slicer's own class does not have (`slicer_api.json`).
"""
