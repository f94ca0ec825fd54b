"Facial flow for face animation. The names below are imported when they are first used."

__version__ = "1.0.0"

_HOME = {  # name → module
    "Animator": "animator",
    "F3AError": "core",
    "Face": "animation",
    "FaceParams": "morphable",
    "Film": "animator",
    "TrainConfig": "schedule",
    "evaluate": "lab.evaluation",
    "facial_flow": "flow",
    "interpolate_params": "flow",
    "load_clip": "data.clips",
    "load_system": "registry",  # where every system is known
    "open_model": "morphable",
    "prepare_clip": "data.prepare",
    "train": "training",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    "A name of the library, imported now."
    if name not in _HOME:
        raise AttributeError(f"module 'f3a_lite' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"f3a_lite.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOME})
