//! Passwords that the application makes: its function is asked for one whenever a connection is made.
use data_bridge_driver::config::{Answer, PasswordSource, Secret};
use pyo3::prelude::*;
use std::sync::Mutex;

/// `data_bridge.core.settings.password.PasswordSource`.
pub struct Asked(pub Py<PyAny>);

impl PasswordSource for Asked {
    fn ask(&self, answer: Answer) {
        Python::attach(|py| {
            // The function itself runs later: this may be the middle of an event loop's step.
            let asked = Py::new(py, PasswordAnswer(Mutex::new(Some(answer))))
                .and_then(|answer| self.0.call_method1(py, "request", (answer,)));
            if let Err(e) = asked {
                e.write_unraisable(py, Some(self.0.bind(py)));
            }
        });
    }
}

/// Where the password goes. One that is dropped without an answer ends the attempt to connect.
#[pyclass(frozen, module = "data_bridge.core._native")]
pub struct PasswordAnswer(Mutex<Option<Answer>>);

impl PasswordAnswer {
    fn give(&self, password: Result<Secret, String>) {
        if let Some(answer) = self.0.lock().expect("the answer").take() {
            answer.give(password);
        }
    }
}

#[pymethods]
impl PasswordAnswer {
    /// The password.
    fn set(&self, password: String) {
        self.give(Ok(Secret(password)));
    }

    /// Why there is none.
    fn fail(&self, reason: String) {
        self.give(Err(reason));
    }
}
