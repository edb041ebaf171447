"""Automated 4D-STEM for scripts: the panel of a window, driven from Swift's Run Script or Python Console.

from nionswift_plugin.dkl.scripting import connect

def script_main(api_broker):
    dkl = connect(api_broker)
    dkl.set_up(measured="com_magnitude", sites=60)
    dkl.start()
    print(dkl.wait().best_value)
"""

from nionswift_plugin.dkl.scripting.connecting import connect
from nionswift_plugin.dkl.scripting.panel import ScriptedPanel
from nionswift_plugin.dkl.scripting.results import Results, results_of
from nionswift_plugin.dkl.scripting.waiting import RunFailedError, ScriptCancelledError, WaitError

__all__ = [
    "Results",
    "RunFailedError",
    "ScriptCancelledError",
    "ScriptedPanel",
    "WaitError",
    "connect",
    "results_of",
]
